import { isDeepStrictEqual } from "node:util";

import type { MeshCluster } from "../../fleet/cluster.ts";
import { routingObjects } from "../mesh/user-service.ts";
import { serviceRoutes } from "./measure.ts";

/** Everything that decides where a request goes, by the name of the thing that holds it. */
export type RoutingRecord = ReadonlyMap<string, unknown>;

/** Records the routing objects in every API server and the service's routes in every Envoy. */
export async function recordRouting(clusters: readonly MeshCluster[]): Promise<RoutingRecord> {
  const record = new Map<string, unknown>();
  await Promise.all(
    clusters.map(async (cluster) => {
      const objects = await routingObjects(cluster);
      for (const [kind, specs] of Object.entries(objects)) {
        for (const [name, spec] of Object.entries(specs as Record<string, unknown>)) {
          record.set(`${kind}/${name} in ${cluster.name}`, spec);
        }
      }
    }),
  );
  for (const routes of await serviceRoutes(clusters)) {
    record.set(`Envoy of ${routes.pod} in ${routes.cluster}`, routes.virtualHosts);
  }
  return record;
}

/** What is not the same in two records, by name. */
export function differences(before: RoutingRecord, after: RoutingRecord): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .filter((name) => !isDeepStrictEqual(before.get(name), after.get(name)))
    .map((name) =>
      !after.has(name)
        ? `${name} is gone`
        : !before.has(name)
          ? `${name} is new`
          : `${name} differs`,
    )
    .sort();
}
