import type { ClusterClient } from "../../fleet/cluster-client.ts";
import type { LiveRouting } from "../../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../../fleet/routing/index.ts";
import { routingDifferences } from "../../lib/routing/differences.ts";
import { serviceName, type LabService } from "../mesh/service.ts";

/** What routes a service, by cluster. */
export type RoutingRecord = ReadonlyMap<string, LiveRouting>;

/** Records the routing objects in every API server and the service's routes in every Envoy. */
export async function recordRouting(
  clusters: readonly ClusterClient[],
  service: LabService,
): Promise<RoutingRecord> {
  return new Map(
    await Promise.all(
      clusters.map(async (cluster) => {
        const others = clusters.map(({ name }) => name).filter((name) => name !== cluster.name);
        const scope = clusterRouting.scope(serviceName(service), "cluster.local", others, [
          service.ingressHost,
        ]);
        return [cluster.name, await clusterRouting.readAll(cluster, scope)] as const;
      }),
    ),
  );
}

/** How many objects and Envoys a record is of. */
export function recorded(record: RoutingRecord): number {
  return [...record.values()].reduce(
    (sum, { objects, envoyCount }) => sum + Object.keys(objects).length + envoyCount,
    0,
  );
}

/** What is not the same in two records of the same clusters, a line each. */
export function differences(before: RoutingRecord, after: RoutingRecord): string[] {
  return [...after].flatMap(([cluster, live]) =>
    [
      ...routingDifferences(before.get(cluster) ?? { objects: {}, envoys: [] }, live),
      ...live.strays.map((stray) => `${stray} routes the service too`),
    ].map((line) => `${cluster}: ${line}`),
  );
}
