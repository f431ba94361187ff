import { hostname } from "node:os";
import type { CoreV1Event } from "@kubernetes/client-node";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import type { ServiceName } from "../lib/names.ts";
import { within } from "../lib/within.ts";
import { eventText } from "./events.ts";
import type { RolloutEvent } from "./rollout-event.ts";

const COMPONENT = "istio-canary";
/** Longest wait for one cluster, in milliseconds: at its end the command waits for it. */
const WITHIN_MS = 5_000;
/** Longest message that an API server takes. */
const LONGEST = 1024;

/** The reason and type of the Kubernetes Event about what has happened; none about all else. */
const KINDS: Partial<
  Readonly<Record<RolloutEvent["event"], readonly [string, "Normal" | "Warning"]>>
> = {
  begin: ["RolloutStarted", "Normal"],
  waits: ["RolloutWaiting", "Normal"],
  raised: ["WeightRaised", "Normal"],
  "raise-failed": ["RaiseFailed", "Warning"],
  "raise-waits": ["RaiseDelayed", "Warning"],
  "roll-back": ["RollingBack", "Warning"],
  "rolled-back": ["RolledBack", "Warning"],
  "rollback-incomplete": ["RollbackIncomplete", "Warning"],
  interrupted: ["RolloutInterrupted", "Warning"],
  end: ["RolloutEnded", "Warning"],
};

/**
 * Tells what happens in a rollout as Kubernetes Events on its services in every cluster, where `kubectl describe
 * service` and event exporters find them.
 */
export class KubernetesEvents {
  readonly #clusters: readonly ClusterClient[];
  readonly #services: readonly ServiceName[];
  readonly #withinMs: number;

  /** @param withinMs longest wait for one cluster, in milliseconds */
  constructor(
    clusters: readonly ClusterClient[],
    services: readonly ServiceName[],
    withinMs: number = WITHIN_MS,
  ) {
    this.#clusters = clusters;
    this.#services = services;
    this.#withinMs = withinMs;
  }

  /** Never fails. @returns why the event could not be written, by cluster */
  async publish(event: RolloutEvent, now: number = Date.now()): Promise<readonly string[]> {
    const kind = KINDS[event.event];
    if (!kind) return [];
    const [reason, bad] = kind;
    const type = event.event === "end" && event.result === "done" ? "Normal" : bad;
    const message = (eventText(event) ?? "").slice(0, LONGEST);
    const failures = await Promise.all(
      this.#clusters.map(async (cluster) => {
        const written = Promise.all(
          this.#services.map((service) =>
            write(cluster, service, { reason, type, message, at: new Date(now) }),
          ),
        );
        try {
          await within(this.#withinMs, written, "no answer in time");
          return [];
        } catch (error) {
          return [`${cluster.name}: Kubernetes Events cannot be written: ${explain(error)}`];
        }
      }),
    );
    return failures.flat();
  }
}

async function write(
  { core }: ClusterClient,
  { service: name, namespace }: ServiceName,
  { reason, type, message, at }: Pick<CoreV1Event, "reason" | "type" | "message"> & { at: Date },
): Promise<void> {
  // kubectl describe looks for events by the uid of their object.
  const { metadata } = await core.readNamespacedService({ namespace, name });
  const uid = metadata?.uid;
  await core.createNamespacedEvent({
    namespace,
    body: {
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: {
        apiVersion: "v1",
        kind: "Service",
        namespace,
        name,
        ...(uid !== undefined && { uid }),
      },
      reason,
      type,
      message,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: hostname(),
    } as CoreV1Event,
  });
}
