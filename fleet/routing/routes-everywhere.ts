import { until } from "../../lib/until.ts";
import { answersOf } from "../ask-pods.ts";
import type { ClusterClient } from "../cluster-client.ts";
import type { EnvoyRoutes } from "./cluster-routing.ts";
import { clusterRouting } from "./index.ts";

/** How long a pod that has just died may still be listed, in milliseconds. */
const STILL_LISTED_MS = 3_000;

/** The routes for any of `hosts` in every proxy of the clusters that has one. */
export async function routesEverywhere(
  clusters: readonly ClusterClient[],
  hosts: readonly string[],
): Promise<EnvoyRoutes[]> {
  const found = await Promise.all(
    clusters.map((cluster) =>
      until(
        `every Envoy of ${cluster.name} to tell its routes`,
        () =>
          answersOf(
            () => cluster.proxies(),
            (pod) => clusterRouting.served(cluster, pod, hosts),
          ),
        { timeoutMs: STILL_LISTED_MS, everyMs: 500 },
      ),
    ),
  );
  return found.flat().filter((routes) => routes !== undefined);
}
