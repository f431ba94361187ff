import type { V1Pod } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { DEFAULT_REVISION, REVISION_LABEL } from "../../lib/revisions.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { explain } from "../explain.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "../istiod-pods.ts";
import { get } from "../pod-http.ts";
import type { Check } from "./check.ts";

/** Why none of the pods serves; none if one does. */
async function reasons(cluster: ClusterClient, pods: readonly V1Pod[]): Promise<readonly string[]> {
  const silent = await Promise.all(
    pods.map(async (pod) => {
      try {
        await get(cluster, pod, ISTIOD_HTTP_PORT, "/ready");
        return [];
      } catch (error) {
        return [explain(error)];
      }
    }),
  );
  return silent.some((each) => each.length === 0) ? [] : silent.flat();
}

/** Envoys learn of the new weight from istiod alone, and each from the one of its own revision. */
export const istiod: Check = {
  name: "istiod serves",
  run: async ({ cluster }) => {
    const fix = `See kubectl -n ${SYSTEM_NAMESPACE} get pods -l app=istiod.`;
    const pods = await istiodPods(cluster);
    if (pods.length === 0) return [{ seen: "no pod of istiod runs", fix, mayHeal: true }];
    const revisions = Map.groupBy(
      pods,
      ({ metadata }) => metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION,
    );
    const silent = await Promise.all(
      [...revisions].map(async ([revision, own]) => {
        const why = await reasons(cluster, own);
        const of = revisions.size > 1 ? `none of revision ${revision} does: ` : "";
        return why.length === 0 ? [] : [{ seen: `${of}${why.join("; ")}`, fix, mayHeal: true }];
      }),
    );
    return silent.flat();
  },
};
