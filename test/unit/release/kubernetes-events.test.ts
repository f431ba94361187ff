import { ApiException, type CoreV1Event } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { KubernetesEvents } from "../../../release/kubernetes-events.ts";
import type { RolloutEvent } from "../../../release/rollout-event.ts";

const SERVICES = [
  { namespace: "user", service: "user-service" },
  { namespace: "shop", service: "cart" },
];
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A cluster that keeps the events that it gets, or does with each what `create` does. */
function cluster(name: string, create: () => Promise<void> = () => Promise.resolve()) {
  const events: CoreV1Event[] = [];
  const client = {
    name,
    core: {
      readNamespacedService: ({ name: service }: { name: string }) =>
        Promise.resolve({ metadata: { uid: `uid of ${service} in ${name}` } }),
      createNamespacedEvent: async ({ body }: { body: CoreV1Event }) => {
        await create();
        events.push(body);
      },
    },
  } as unknown as ClusterClient;
  return { client, events };
}

async function publish(event: RolloutEvent, ...clusters: ReturnType<typeof cluster>[]) {
  const events = new KubernetesEvents(
    clusters.map(({ client }) => client),
    SERVICES,
    50,
  );
  return events.publish(event, NOW);
}

describe("Kubernetes Events of a rollout", () => {
  it("are on each service in each cluster, where kubectl describe finds them", async () => {
    const [a, b] = [cluster("cluster-a"), cluster("cluster-b")];
    expect(await publish({ event: "raised", weight: 30 }, a, b)).toEqual([]);
    expect(b.events.map(({ involvedObject: { name } }) => name)).toEqual(["user-service", "cart"]);
    expect(a.events[0]).toMatchObject({
      metadata: { generateName: "user-service.", namespace: "user" },
      involvedObject: {
        kind: "Service",
        namespace: "user",
        name: "user-service",
        uid: "uid of user-service in cluster-a",
      },
      reason: "WeightRaised",
      type: "Normal",
      message: "30 % in every cluster",
      firstTimestamp: new Date(NOW),
      lastTimestamp: new Date(NOW),
      source: { component: "istio-canary" },
    });
  });

  it.each<[string, string, RolloutEvent]>([
    ["RolloutStarted", "Normal", { event: "begin", release: "v2", weight: 0, resumed: false }],
    ["RolloutWaiting", "Normal", { event: "waits", weight: 10, for: "approval", reason: "100" }],
    ["RaiseFailed", "Warning", { event: "raise-failed", weight: 10, reason: "no" }],
    ["RaiseDelayed", "Warning", { event: "raise-waits", weight: 10, reason: "locked" }],
    ["RollingBack", "Warning", { event: "roll-back", reason: "cluster-b: 5 % fail" }],
    ["RolledBack", "Warning", { event: "rolled-back" }],
    ["RollbackIncomplete", "Warning", { event: "rollback-incomplete", reason: "cluster-b" }],
    ["RolloutInterrupted", "Warning", { event: "interrupted", weight: 10 }],
    ["RolloutEnded", "Normal", { event: "end", result: "done", reason: "100 %" }],
    ["RolloutEnded", "Warning", { event: "end", result: "rolled-back", reason: "5 %" }],
  ])("have the reason %s and the type %s", async (reason, type, event) => {
    const a = cluster("cluster-a");
    await publish(event, a);
    expect(a.events[0]).toMatchObject({ reason, type });
  });

  it("are not written of every look", async () => {
    const a = cluster("cluster-a");
    await publish({ event: "raise", weight: 10 }, a);
    expect(a.events).toEqual([]);
  });

  it("have no longer message than API servers take", async () => {
    const a = cluster("cluster-a");
    await publish({ event: "roll-back", reason: "x".repeat(5000) }, a);
    expect(a.events[0]?.message).toHaveLength(1024);
  });

  it("name the cluster that refuses them or does not answer, and reach the others", async () => {
    const a = cluster("cluster-a", () =>
      Promise.reject(new ApiException(403, "", { message: "events is forbidden" }, {})),
    );
    const b = cluster("cluster-b", () => new Promise(() => undefined));
    const c = cluster("cluster-c");
    expect(await publish({ event: "raised", weight: 30 }, a, b, c)).toEqual([
      "cluster-a: Kubernetes Events cannot be written: events is forbidden",
      "cluster-b: Kubernetes Events cannot be written: no answer in time",
    ]);
    expect(c.events).toHaveLength(2);
  });
});
