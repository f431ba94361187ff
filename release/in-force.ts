import { canariesOf } from "../fleet/canary-weights.ts";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { confirmWeights } from "../fleet/confirm.ts";
import { explain } from "../fleet/explain.ts";
import { serviceKey } from "../lib/names.ts";
import { weightIn } from "../lib/release-rules.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { confirmOptions } from "../stacks/confirm-options.ts";
import type { Judged } from "../lib/judged.ts";
import { judgedServices } from "./release-settings.ts";

/** What was read back from the clusters. */
export interface InForce {
  /** What each cluster has, a line for each service with a weight. */
  readonly lines: readonly string[];
  /** Where the weight is not known to be in force, a line each. */
  readonly problems: readonly string[];
}

/** Reads back from every API server and every Envoy that the weight of a configuration is in force. */
export async function inForce(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<InForce> {
  const services = judgedServices(settings).filter(({ role }) => role !== "follower");
  const found = await Promise.all(
    clusters.flatMap((cluster) =>
      services.map(async (service) => {
        const weight = weightIn(settings, cluster.name);
        const what = `${cluster.name}: ${service.canary} of ${serviceKey(service)}`;
        try {
          const envoys = await confirm(cluster, service, weight, settings.safety);
          return { line: `${what} has ${weight} % in its API server and in ${envoys} Envoys` };
        } catch (error) {
          return { problem: `${what} is not confirmed at ${weight} %: ${explain(error)}` };
        }
      }),
    ),
  );
  return {
    lines: found.flatMap(({ line }) => line ?? []),
    problems: found.flatMap(({ problem }) => problem ?? []),
  };
}

/** @returns how many Envoys have the weight */
async function confirm(
  cluster: ClusterClient,
  service: Judged,
  weight: number,
  safety: ReleaseSettings["safety"],
): Promise<number> {
  const [live] = await canariesOf(cluster, [service]);
  if (live?.weight !== weight) {
    throw new Error(`its API server has ${live ? `${live.weight} %` : "no such canary"}`);
  }
  const { routes, acknowledged } = await confirmWeights(
    cluster,
    [{ ...live, weight }],
    confirmOptions(safety),
  );
  return routes.flat().length + acknowledged;
}
