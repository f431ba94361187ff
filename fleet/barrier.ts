import { probeChain, type ChainProbe } from "./chain/probe-chain.ts";
import type { Canary, ChainFinding, Limits, Rise } from "./checks/check.ts";
import { runChecks } from "./checks/index.ts";
import { lookAgain, type Objections } from "./checks/look-again.ts";
import type { ClusterClient } from "./cluster-client.ts";

/** How long what a look has seen counts for the write, in milliseconds from the start of the look. */
const HOLDS_MS = 15_000;

/** What a rise means for the other services of a chain. */
export interface ChainOfRise {
  /** Canaries that get requests because of it, without a weight of their own. */
  readonly followers: readonly Canary[];
  readonly probe: ChainProbe;
}

function passes(objections: Objections): boolean {
  return [...objections.values()].every((each) => each.length === 0);
}

/** A rise of weights, and all checks in all clusters that stand before it. */
export class Barrier {
  readonly clusters: readonly ClusterClient[];
  readonly rises: readonly Rise[];
  readonly limits: Limits;
  readonly chain: ChainOfRise | undefined;
  #lastProbe: Promise<unknown> = Promise.resolve();
  #ahead: { readonly startedAt: number; readonly seen: Promise<Objections> } | undefined;

  /** @param chain that the services are part of. @default none */
  constructor(
    clusters: readonly ClusterClient[],
    rises: readonly Rise[],
    limits: Limits,
    chain?: ChainOfRise,
  ) {
    this.clusters = clusters;
    this.rises = rises;
    this.limits = limits;
    this.chain = chain;
  }

  /** Starts a look early, while other work is still under way; `check` may use its result. */
  lookAhead(): void {
    const seen = this.#look();
    // `check` deals with it, or somebody has said that it is out of date.
    seen.catch(() => undefined);
    this.#ahead = { startedAt: performance.now(), seen };
  }

  /** Says that something has changed that may have been checked: early results no longer count. */
  outdate(): void {
    this.#ahead = undefined;
  }

  /**
   * The objections to the rise, by cluster. An early look counts if it found none, nothing has changed
   * since, and it is not older than HOLDS_MS; otherwise everything is checked now.
   */
  async check(): Promise<Objections> {
    const ahead = this.#ahead;
    if (ahead) {
      const seen = await ahead.seen.catch((): undefined => undefined);
      const holds = this.#ahead === ahead && performance.now() - ahead.startedAt <= HOLDS_MS;
      if (seen && holds && passes(seen)) return seen;
    }
    return lookAgain(() => this.#look(), this.limits.checkWithinMs);
  }

  async #look(): Promise<Objections> {
    const { clusters, rises, limits, chain } = this;
    const canaries = [...rises, ...(chain?.followers ?? [])];
    let probed: Promise<readonly ChainFinding[]> | undefined;
    const signal = AbortSignal.timeout(limits.lookWithinMs);
    // Two probes at once would count each other's requests.
    const probeNext = (of: ChainProbe): Promise<readonly ChainFinding[]> => {
      const own = this.#lastProbe.then(() => probeChain(of, clusters, signal));
      this.#lastProbe = Promise.allSettled([own]);
      return own;
    };
    const probe = chain && (() => (probed ??= probeNext(chain.probe)));
    const seen = clusters.map(async (cluster) => {
      const context = { cluster, clusters, rises, canaries, limits, probe };
      return [cluster.name, await runChecks(context)] as const;
    });
    return new Map(await Promise.all(seen));
  }
}
