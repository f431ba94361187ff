import type { V1ControllerRevision } from "@kubernetes/client-node";
import * as z from "zod";
import type { ServiceName } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import type { ClusterClient } from "../cluster-client.ts";
import type { LiveRouting, RoutingScope } from "../routing/cluster-routing.ts";
import { clusterRouting } from "../routing/index.ts";

/** Records that are kept of each service; the ones whose state was left longest ago go. */
const KEPT = 20;
const KIND = "istio-canary/record";

/** Which state is recorded, and who has made it. */
export interface RecordedState {
  /** Names the configuration that has led to it. */
  readonly digest: string;
  readonly by: string;
}

const data = z.object({
  digest: z.string(),
  by: z.string(),
  at: z.string(),
  objects: z.record(z.string(), z.unknown()),
  envoys: z.array(
    z.object({ of: z.array(z.string()), virtualHosts: z.record(z.string(), z.unknown()) }),
  ),
});

/** A service's routing in one cluster, as it was when a state was made for the first time. */
export type RoutingRecord = z.output<typeof data>;

async function revisions(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
): Promise<readonly V1ControllerRevision[]> {
  const { items } = await cluster.apps.listNamespacedControllerRevision({
    namespace,
    labelSelector: `app=${service},${KIND}=routing`,
  });
  return items.toSorted((a, b) => b.revision - a.revision);
}

function recordName(service: string, digest: string): string {
  return `${service}-${digest.slice(0, 10)}`;
}

/** The record of a state, or undefined if there is none. */
export async function readRecord(
  cluster: ClusterClient,
  name: ServiceName,
  digest: string,
): Promise<RoutingRecord | undefined> {
  const found = await revisions(cluster, name);
  return found
    .map((revision) => data.parse(revision.data))
    .find((record) => record.digest === digest);
}

/** The routing, once every Envoy serves the rules. */
async function servedRouting(
  cluster: ClusterClient,
  scope: RoutingScope,
  timeoutMs: number,
): Promise<LiveRouting> {
  return until(
    `every Envoy of ${cluster.name} to serve the routes of ${scope.namespace}/${scope.service}`,
    async () => {
      const live = await clusterRouting.readAll(cluster, scope);
      if (!live.rules) throw new Error("the API server has no rules of it");
      const late = clusterRouting.behind(live.rules, live.envoys);
      if (late.length > 0) throw new Error(`not served yet by ${late.join(", ")}`);
      return live;
    },
    { timeoutMs, everyMs: 500 },
  );
}

/**
 * Records what a state of the configuration has led to in one cluster, as a ControllerRevision: once,
 * the first time; later times only make it the newest.
 *
 * @param timeoutMs longest wait for the Envoys
 */
export async function recordRouting(
  cluster: ClusterClient,
  scope: RoutingScope,
  { digest, by }: RecordedState,
  timeoutMs: number,
): Promise<void> {
  const { service, namespace } = scope;
  const name = recordName(service, digest);
  const known = await revisions(cluster, scope);
  const newest = known[0]?.revision ?? 0;
  const same = known.find(({ metadata }) => metadata?.name === name);
  if (same) {
    if (same.revision < newest) {
      await cluster.apps.replaceNamespacedControllerRevision({
        namespace,
        name,
        body: Object.assign(same, { revision: newest + 1 }),
      });
    }
    return;
  }
  const { objects, envoys } = await servedRouting(cluster, scope, timeoutMs);
  const record: RoutingRecord = {
    digest,
    by,
    at: new Date().toISOString(),
    objects: { ...objects },
    envoys: envoys.map(({ of, virtualHosts }) => ({
      of: [...of],
      virtualHosts: { ...virtualHosts },
    })),
  };
  await cluster.apps.createNamespacedControllerRevision({
    namespace,
    body: {
      metadata: {
        name,
        labels: { app: service, [KIND]: "routing" },
        ownerReferences: [await clusterRouting.owner(cluster, scope)],
      },
      revision: newest + 1,
      data: record,
    },
  });
  for (const old of known.slice(KEPT - 1)) {
    await cluster.apps.deleteNamespacedControllerRevision({
      namespace,
      name: old.metadata?.name ?? "",
    });
  }
}
