import { until } from "../lib/until.ts";
import { podKey, type MeshCluster } from "./cluster.ts";
import { routesOfAny, type EnvoyRoutes } from "./envoy.ts";
import { explain } from "./explain.ts";

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
 * @param timeoutMs in milliseconds; an Envoy that does not answer may add the bound of one answer
 * @returns their routes
 * @throws naming those that do not, or do not answer
 */
export async function confirmWeight(
  cluster: MeshCluster,
  { hosts, canary, weight }: Expected,
  timeoutMs: number,
): Promise<readonly EnvoyRoutes[]> {
  return until(
    `every Envoy of ${cluster.name} to serve ${canary} at ${weight} %`,
    async () => {
      const pods = await cluster.proxies();
      const late: string[] = [];
      const found = await Promise.all(
        pods.map(async (pod) => {
          const { namespace, name } = podKey(pod);
          try {
            const routes = await routesOfAny(cluster, pod, hosts);
            const served = routes?.weights[canary] ?? 0;
            if (routes && served !== weight) late.push(`${namespace}/${name} serves ${served} %`);
            return routes;
          } catch (error) {
            late.push(`${namespace}/${name} does not answer (${explain(error)})`);
            return undefined;
          }
        }),
      );
      if (late.length > 0) throw new Error(late.sort().join(", "));
      return found.filter((routes) => routes !== undefined);
    },
    { timeoutMs },
  );
}
