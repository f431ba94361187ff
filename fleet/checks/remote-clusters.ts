import type { V1Pod } from "@kubernetes/client-node";
import * as z from "zod";
import { answersOf } from "../ask-pods.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "../istiod-pods.ts";
import { getJson } from "../pod-http.ts";
import type { Check } from "./check.ts";

const clusterz = z.array(z.looseObject({ id: z.string(), syncStatus: z.string() }));

/**
 * How a pod of istiod stands with each cluster that it reads endpoints of, its own included, by the cluster's name:
 * `synced` if all is well.
 */
export async function clustersReadBy(
  cluster: ClusterClient,
  pod: V1Pod,
): Promise<Readonly<Record<string, string>>> {
  const known = clusterz.parse(await getJson(cluster, pod, ISTIOD_HTTP_PORT, "/debug/clusterz"));
  return Object.fromEntries(known.map(({ id, syncStatus }) => [id, syncStatus]));
}

/** An istiod that does not see another cluster does not know the canary's pods there. */
export const remoteClusters: Check = {
  name: "istiod is in sync with every cluster",
  run: async ({ cluster, clusters, limits: { closed = [] } }) => {
    const findings = await answersOf(
      () => istiodPods(cluster),
      async (pod) => {
        const known = await clustersReadBy(cluster, pod);
        const read = clusters.filter(
          (each) => each.name === cluster.name || !closed.includes(each.name),
        );
        return read.flatMap(({ name }) => {
          const status = known[name] ?? "unknown there";
          return status === "synced"
            ? []
            : [
                {
                  seen: `istiod (${pod.metadata?.name ?? ""}) says that ${name} is ${status}`,
                  fix: "See istioctl remote-clusters, and check that its API server can be reached from there.",
                  mayHeal: true,
                },
              ];
        });
      },
    );
    return findings.flat();
  },
};
