import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { explain } from "../explain.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "../istiod-pods.ts";
import { get } from "../pod-http.ts";
import type { Check } from "./check.ts";

/** Envoys learn of the new weight from istiod alone. */
export const istiod: Check = {
  name: "istiod serves",
  run: async ({ cluster }) => {
    const pods = await istiodPods(cluster);
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
    if (silent.some((reasons) => reasons.length === 0)) return [];
    const seen = pods.length === 0 ? "no pod of istiod runs" : silent.flat().join("; ");
    const fix = `See kubectl -n ${SYSTEM_NAMESPACE} get pods -l app=istiod.`;
    return [{ seen, fix, mayHeal: true }];
  },
};
