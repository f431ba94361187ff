import * as z from "zod";
import { answersOf } from "../ask-pods.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "../istiod-pods.ts";
import { getJson } from "../pod-http.ts";
import type { Check } from "./check.ts";

const clusterz = z.array(z.looseObject({ id: z.string(), syncStatus: z.string() }));

/** An istiod that does not see another cluster does not know the canary's pods there. */
export const remoteClusters: Check = {
  name: "istiod is in sync with every cluster",
  run: async ({ cluster, clusters }) => {
    const findings = await answersOf(
      () => istiodPods(cluster),
      async (pod) => {
        const known = clusterz.parse(
          await getJson(cluster, pod, ISTIOD_HTTP_PORT, "/debug/clusterz"),
        );
        return clusters.flatMap(({ name }) => {
          const status = known.find(({ id }) => id === name)?.syncStatus ?? "unknown there";
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
