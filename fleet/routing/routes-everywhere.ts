import { until } from "../../lib/until.ts";
import { answersOf } from "../ask-pods.ts";
import type { ClusterClient } from "../cluster-client.ts";
import type { EnvoyRoutes } from "./cluster-routing.ts";
import { clusterRouting } from "./index.ts";

/** How long a pod that has just died may still be listed, in milliseconds. */
const STILL_LISTED_MS = 3_000;

/**
 * The routes for each of the services in every proxy of a cluster that has some.
 *
 * @param services the hosts of each
 */
async function routesIn(
  cluster: ClusterClient,
  services: readonly (readonly string[])[],
): Promise<readonly (readonly EnvoyRoutes[])[]> {
  const held = await until(
    `every Envoy of ${cluster.name} to tell its routes`,
    () =>
      answersOf(
        () => cluster.proxies(),
        (pod) => clusterRouting.served(cluster, pod, services),
      ),
    { timeoutMs: STILL_LISTED_MS, everyMs: 500 },
  );
  return services.map((_, i) => held.flatMap((routes) => routes[i] ?? []));
}

/** The routes for any of `hosts` in every proxy of the clusters that has one. */
export async function routesEverywhere(
  clusters: readonly ClusterClient[],
  hosts: readonly string[],
): Promise<EnvoyRoutes[]> {
  return (await Promise.all(clusters.map((cluster) => routesIn(cluster, [hosts])))).flat(2);
}
