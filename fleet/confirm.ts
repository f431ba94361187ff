import { until } from "../lib/until.ts";
import type { MeshCluster } from "./cluster.ts";
import { routesEverywhere, type EnvoyRoutes } from "./envoy.ts";

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
 * @returns their routes
 * @throws naming those that do not
 */
export async function confirmWeight(
  cluster: MeshCluster,
  { hosts, canary, weight }: Expected,
  timeoutMs: number,
): Promise<readonly EnvoyRoutes[]> {
  return until(
    `every Envoy of ${cluster.name} to serve ${canary} at ${weight} %`,
    async () => {
      const routes = await routesEverywhere([cluster], hosts);
      const late = routes.filter(({ weights }) => (weights[canary] ?? 0) !== weight);
      if (late.length > 0) {
        throw new Error(
          late
            .map(({ pod, weights }) => `${pod} still serves ${weights[canary] ?? 0} %`)
            .join(", "),
        );
      }
      return routes;
    },
    { timeoutMs },
  );
}
