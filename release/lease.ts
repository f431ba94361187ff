import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { ApiException, V1MicroTime, type V1Lease } from "@kubernetes/client-node";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain, isNotFound, isTransient } from "../fleet/explain.ts";
import { whoRuns } from "../stacks/routing-records.ts";
import { stackLabel } from "../lib/names.ts";
import { isAlive } from "./is-alive.ts";
import { processSpace } from "./process-space.ts";
import { LeaseHeld, MayHeal } from "./try-again.ts";

/** How long a lease holds without being renewed, in seconds. */
const DURATION_S = 60;
/** Pause between two renewals, in milliseconds. */
const RENEW_MS = 20_000;
const CONFLICT = 409;

/** This process, as its lease names it. */
export function thisProcess(): string {
  return `${whoRuns()} on ${hostname()} (pid ${process.pid})`;
}

/** A time of an API server's answer: the client declares a date, and leaves the text that it got. */
function dateOf(time: V1MicroTime | string | undefined): V1MicroTime | undefined {
  return time === undefined ? undefined : new V1MicroTime(time);
}

/** Annotation of a lease: which process has it. User and host name alone may be those of two. */
const PROCESS = "istio-canary/process";
/** No other process has this, wherever it runs. */
const THIS = `${process.pid} ${randomUUID()} ${processSpace() ?? ""}`.trim();

/** Whether the process that has a lease ran where this one does, and is no more. Of any other nothing is known. */
function isDead({ metadata }: V1Lease): boolean {
  const [, pid, space] = /^(\d+) \S+ (.+)$/.exec(metadata?.annotations?.[PROCESS] ?? "") ?? [];
  return space !== undefined && space === processSpace() && !isAlive(Number(pid));
}

/**
 * The right to raise a release's weight, as a Lease in a namespace of its services in every cluster. One command at a time has it. It runs
 * out by itself when its holder dies. Nobody needs it to lower a weight.
 */
export class Lease {
  readonly #clusters: readonly ClusterClient[];
  readonly #namespace: string;
  readonly #name: string;
  readonly #holder: string;
  #renewal: NodeJS.Timeout | undefined;
  #renewing: Promise<unknown> = Promise.resolve();

  /**
   * @param namespaces of the services
   * @param stack the stack's name; with or without its organization and project it is the same
   * @param holder who takes it. @default this process
   */
  constructor(
    clusters: readonly ClusterClient[],
    namespaces: readonly string[],
    stack: string,
    holder: string = thisProcess(),
  ) {
    // All commands ask the clusters in one order, or two could hold one each.
    this.#clusters = clusters.toSorted((one, other) => one.name.localeCompare(other.name));
    this.#namespace = namespaces.toSorted()[0] ?? "default";
    this.#name = `istio-canary-rollout-${stackLabel(stack.split("/").at(-1) ?? stack)}`;
    this.#holder = holder;
  }

  /**
   * Takes the lease in every cluster, and renews it from then on. It may be called by its holder.
   *
   * @throws LeaseHeld naming who has it, MayHeal if a cluster does not answer
   */
  async take(): Promise<void> {
    // Its own renewal at this moment would look like another command's.
    await this.#stopRenewal();
    for (const cluster of this.#clusters) {
      try {
        await this.#takeIn(cluster);
      } catch (error) {
        await this.release();
        if (error instanceof LeaseHeld) throw error;
        const text = `${cluster.name}: the lease ${this.#namespace}/${this.#name} cannot be acquired: ${explain(error)}`;
        throw isTransient(error)
          ? new MayHeal(text, { cause: error })
          : new Error(text, { cause: error });
      }
    }
    this.#renewal = setInterval(() => {
      // The next rise asks again, and says what is wrong.
      this.#renewing = Promise.allSettled(this.#clusters.map((cluster) => this.#takeIn(cluster)));
    }, RENEW_MS).unref();
  }

  async #stopRenewal(): Promise<void> {
    clearInterval(this.#renewal);
    this.#renewal = undefined;
    await this.#renewing;
  }

  /** Gives the lease back wherever this holder has it. Never fails: it runs out by itself. */
  async release(): Promise<void> {
    await this.#stopRenewal();
    await Promise.allSettled(
      this.#clusters.map(async ({ coordination }) => {
        const at = { namespace: this.#namespace, name: this.#name };
        const { metadata = {}, spec = {} } = await coordination.readNamespacedLease(at);
        if (!this.#isOwn({ metadata, spec })) return;
        const preconditions = { resourceVersion: metadata.resourceVersion ?? "" };
        await coordination.deleteNamespacedLease({ ...at, body: { preconditions } });
      }),
    );
  }

  /** Whether this holder has it, and not another process that its user has on a host of the same name. */
  #isOwn({ metadata, spec }: V1Lease): boolean {
    return spec?.holderIdentity === this.#holder && metadata?.annotations?.[PROCESS] === THIS;
  }

  async #takeIn(cluster: ClusterClient): Promise<void> {
    const { coordination } = cluster;
    const at = { namespace: this.#namespace, name: this.#name };
    let found: V1Lease | undefined;
    try {
      found = await coordination.readNamespacedLease(at);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // The API server's clock is the one that all commands share.
    const now = new V1MicroTime(Date.now() + (cluster.clockAheadMs ?? 0));
    const { holderIdentity: holder = "" } = found?.spec ?? {};
    const acquireTime = dateOf(found?.spec?.acquireTime);
    const renewTime = dateOf(found?.spec?.renewTime);
    const own = found !== undefined && this.#isOwn(found);
    const until = (renewTime?.getTime() ?? 0) + DURATION_S * 1_000;
    if (found && holder !== "" && !own && until > now.getTime() && !isDead(found)) {
      throw new LeaseHeld(cluster.name, holder, acquireTime);
    }
    const body: V1Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...at,
        labels: { "app.kubernetes.io/part-of": "istio-canary" },
        annotations: { [PROCESS]: THIS },
        ...(found?.metadata?.resourceVersion !== undefined && {
          resourceVersion: found.metadata.resourceVersion,
        }),
      },
      spec: {
        holderIdentity: this.#holder,
        leaseDurationSeconds: DURATION_S,
        acquireTime: own && acquireTime ? acquireTime : now,
        renewTime: now,
      },
    };
    try {
      if (found) await coordination.replaceNamespacedLease({ ...at, body });
      else await coordination.createNamespacedLease({ namespace: at.namespace, body });
    } catch (error) {
      if (!(error instanceof ApiException) || error.code !== CONFLICT) throw error;
      throw new LeaseHeld(cluster.name, "another command", undefined);
    }
  }
}
