import type { ClusterClient } from "./cluster-client.ts";
import { Behind, confirmEvery } from "./confirm-every.ts";
import { routing } from "../lib/routing/index.ts";
import type { EnvoyRoutes } from "./routing/cluster-routing.ts";
import { clusterRouting } from "./routing/index.ts";

/** What every Envoy that routes to a service must serve. */
export interface Expected {
  /** Names under which clients know the service. */
  readonly hosts: readonly string[];
  readonly canary: string;
  readonly weight: number;
}

/**
 * Waits until every Envoy of a cluster that routes to the service serves the weight.
 *
 * @param timeoutMs in milliseconds, see confirmEvery
 * @param signal ends the wait early. @default nothing does
 * @returns their routes
 * @throws naming those that do not, or do not answer
 */
export async function confirmWeight(
  cluster: ClusterClient,
  { hosts, canary, weight }: Expected,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<readonly EnvoyRoutes[]> {
  return confirmEvery(
    cluster,
    `every Envoy of ${cluster.name} to serve ${canary} at ${weight} %`,
    async (pod) => {
      const routes = await clusterRouting.served(cluster, pod, hosts);
      // A port that is behind is as bad as all of them.
      const tables = Object.entries(routes?.tables ?? {});
      for (const [table, weights] of tables) {
        const served = routing.shareIn(weights, canary);
        if (served !== weight) {
          throw new Behind(`serves ${served} %${tables.length > 1 ? ` on ${table}` : ""}`);
        }
      }
      return routes;
    },
    timeoutMs,
    signal,
  );
}
