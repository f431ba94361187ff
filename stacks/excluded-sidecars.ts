import type { ClusterClient } from "../fleet/cluster-client.ts";
import { excludedSidecars } from "../fleet/excluded-sidecars.ts";
import { explain } from "../fleet/explain.ts";
import { allOf } from "../lib/enumerate.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import type { ReleaseSettings } from "./config.ts";

const FIX = "Name fewer sidecars in safety.exclude, if these route to the services.";

/**
 * Tells where `safety.exclude` leaves too little to show that a weight has arrived: a cluster of which only gateways
 * confirm, and services of whose own sidecars none does.
 *
 * @param clusters that answer
 */
export async function exclusionWarnings(
  { services, safety: { exclude } }: Pick<ReleaseSettings, "services" | "safety">,
  clusters: readonly ClusterClient[],
): Promise<readonly string[]> {
  if (exclude.length === 0 || services.length === 0) return [];
  const keys = services.map((service) => serviceKey(idOf(service)));
  const found = await Promise.all(
    clusters.map(async (cluster): Promise<readonly string[]> => {
      try {
        const of = await excludedSidecars(cluster, services.map(idOf), exclude);
        if (of.excluded > 0 && of.counted === 0) {
          return [
            `${cluster.name}: safety.exclude names ${of.excluded === 1 ? "the only sidecar" : `all ${of.excluded} sidecars`}, so only gateways confirm a weight of ${allOf(keys)} there. ${FIX}`,
          ];
        }
        return [...of.services].map(
          ([key, sidecars]) =>
            `${cluster.name}: safety.exclude names ${sidecars === 1 ? "the only sidecar" : `all ${sidecars} sidecars`} of ${key}, so only gateways and others' sidecars confirm its weight there. ${FIX}`,
        );
      } catch (error) {
        return [
          `${cluster.name}: whether safety.exclude names all sidecars of a service is not known: ${explain(error)}`,
        ];
      }
    }),
  );
  return found.flat();
}
