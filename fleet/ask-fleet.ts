import type { V1Pod } from "@kubernetes/client-node";
import type { WhoCounts } from "../lib/who-counts.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { askPods, type SilentPod } from "./ask-pods.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { connectionsOf, type Connections, type Sent } from "./connections.ts";
import { whoCounts } from "./left-out.ts";
import { podIdentity, proxyIdentity, workloadOf } from "./proxy-pod.ts";
import { sampled } from "./sample.ts";

/** Proxies beyond the sample that a round asks at most, because the istiods say too little of them. */
const MORE_AT_ONCE = 100;

/** Whom a fleet's rounds ask. */
export interface FleetOptions {
  /** The kind of configuration that decides what an Envoy shows. */
  readonly kind: Sent;
  /** Envoys that are asked themselves, as in `sampled`. */
  readonly askEnvoys: number;
  /** Those that do not count are not asked. */
  readonly who: WhoCounts;
  /**
   * How long istiods may take to send a change to all of their proxies, in milliseconds, before those are asked
   * themselves.
   */
  readonly patienceMs: number;
}

/** What an Envoy has shown that has what it must have. */
export interface Confirmation<T> {
  readonly value: T;
  /** For each service whether it gets anything of it. One that lacks some may yet get it. */
  readonly holds: readonly boolean[];
}

/** What one round has found. */
export interface Round<T> {
  /** What those have shown that were asked themselves. */
  readonly confirmations: readonly Confirmation<T>[];
  /** Those that do not answer, or for which `ask` has thrown. */
  readonly silent: readonly SilentPod[];
  /** How many others have acknowledged it to their istiod. */
  readonly acknowledged: number;
  /** Those that have not acknowledged what their istiod has sent them. */
  readonly pending: readonly V1Pod[];
  /** Those of whom the istiods say too little: later rounds ask them themselves. */
  readonly unknown: readonly V1Pod[];
  /** Istiods that have told nothing, and why. */
  readonly silentIstiods: readonly string[];
  /** Sidecars on nodes that are lost. */
  readonly lost: readonly V1Pod[];
  /** How many sidecars the configuration excludes. */
  readonly excluded: number;
}

/**
 * All proxies of a cluster, and what is known of them over several rounds. Of few, every Envoy is asked itself. Of more
 * than `askEnvoys`, gateways and a sample are, and the istiods for all others.
 */
export class Fleet<T> {
  readonly #cluster: ClusterClient;
  readonly #options: FleetOptions;
  readonly #ask: (pod: V1Pod) => Promise<Confirmation<T>>;
  readonly #acknowledgements: Acknowledgements;
  /** Pods that are asked themselves. */
  readonly #asked = new Set<string>();
  /** Proxies that have all that they must have, by what they have shown. */
  readonly #confirmed = new Map<string, Confirmation<T>>();
  readonly #acknowledged = new Set<string>();
  #known: Connections | undefined;
  #unknownSince: number | undefined;

  /** @param ask throws if an Envoy does not have what it must have */
  constructor(
    cluster: ClusterClient,
    options: FleetOptions,
    ask: (pod: V1Pod) => Promise<Confirmation<T>>,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#ask = ask;
    this.#acknowledgements = new Acknowledgements(options.kind);
  }

  /** @param list gives the proxies as they are now */
  async round(list: () => Promise<readonly V1Pod[]>): Promise<Round<T>> {
    const { who } = this.#options;
    const { counted: pods, lost, excluded } = whoCounts(await list(), who);
    const isLarge = pods.length > this.#options.askEnvoys;
    for (const pod of sampled(pods, this.#options.askEnvoys)) this.#asked.add(podIdentity(pod));
    const isAsked = (pod: V1Pod) => this.#asked.has(podIdentity(pod));
    const before = isLarge ? (this.#known ?? (await connectionsOf(this.#cluster))) : undefined;
    let first: readonly V1Pod[] | undefined = pods;
    const { answers, silent } = await askPods(
      async () => {
        const given = first ?? whoCounts(await list(), who).counted;
        first = undefined;
        return given.filter(isAsked);
      },
      async (pod) => this.#confirmationOf(pod),
    );
    const round = { confirmations: answers, silent, lost, excluded: excluded.length };
    return before
      ? { ...round, ...(await this.#others(pods, answers, before, silent.length === 0)) }
      : { ...round, acknowledged: 0, pending: [], unknown: [], silentIstiods: [] };
  }

  /** What the pod shows, or has shown before. */
  async #confirmationOf(pod: V1Pod): Promise<Confirmation<T> & { readonly asked?: V1Pod }> {
    const proxy = proxyIdentity(pod);
    const known = this.#confirmed.get(proxy);
    if (known !== undefined) return known;
    const shown = await this.#ask(pod);
    if (shown.holds.every(Boolean)) this.#confirmed.set(proxy, shown);
    return { ...shown, asked: pod };
  }

  /** What the istiods say of those that were not asked. */
  async #others(
    pods: readonly V1Pod[],
    answers: readonly (Confirmation<T> & { readonly asked?: V1Pod })[],
    before: Connections,
    isSettled: boolean,
  ): Promise<Pick<Round<T>, "acknowledged" | "pending" | "unknown" | "silentIstiods">> {
    const after = await connectionsOf(this.#cluster);
    this.#known = after;
    for (const { asked, holds } of answers) {
      if (asked) this.#acknowledgements.learn(asked, holds, before, after);
    }
    const others = pods.filter((pod) => !this.#asked.has(podIdentity(pod)));
    const verdicts = Map.groupBy(others, (pod) => {
      const proxy = proxyIdentity(pod);
      if (this.#acknowledged.has(proxy)) return "acknowledged";
      const verdict = this.#acknowledgements.verdict(pod, after);
      if (verdict === "acknowledged") this.#acknowledged.add(proxy);
      return verdict;
    });
    const unknown = verdicts.get("unknown") ?? [];
    // As long as those are behind that are asked already, others tell nothing more.
    if (isSettled) this.#askMore(unknown, after);
    return {
      acknowledged: verdicts.get("acknowledged")?.length ?? 0,
      pending: verdicts.get("pending") ?? [],
      unknown,
      silentIstiods: after.silent,
    };
  }

  /** Has proxies asked in the next round of which the istiods say too little. */
  #askMore(unknown: readonly V1Pod[], connections: Connections): void {
    this.#unknownSince ??= performance.now();
    const isLate = performance.now() - this.#unknownSince >= this.#options.patienceMs;
    const by = Map.groupBy(unknown, (pod) => this.#acknowledgements.tells(pod, connections));
    const workloads = Map.groupBy(by.get("workload") ?? [], workloadOf).values();
    const next = [
      ...[...workloads].flatMap(([pod]) => pod ?? []),
      ...(by.get("itself") ?? []),
      ...(isLate ? (by.get("time") ?? []) : []),
    ];
    for (const pod of next.slice(0, MORE_AT_ONCE)) this.#asked.add(podIdentity(pod));
  }
}
