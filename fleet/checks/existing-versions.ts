import { absence, podsOf, workloadObjections } from "../../lib/existing.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { findWorkload } from "../find-workload.ts";
import type { Canary, Check, Finding } from "./check.ts";

/** What speaks against more requests for a canary that others have made. */
async function findingsOf(
  cluster: ClusterClient,
  { service, namespace, canary, existing }: Canary,
): Promise<readonly Finding[]> {
  if (!existing) return [];
  const found = await findWorkload(cluster, existing);
  const key = `${namespace}/${service}`;
  const fix = `See kubectl -n ${namespace} get pods --show-labels. Whoever made them has to fix them.`;
  const pods = podsOf(existing, found, canary);
  const waiting = pods.filter(({ isReady }) => !isReady);
  return [
    ...workloadObjections(existing, found, cluster.name).map((objection) => ({
      seen: `${key} ${objection.rule}`,
      fix: objection.fix,
      mayHeal: false,
    })),
    ...[existing.stable, canary].flatMap((version) => {
      const missing = absence(existing, found, version);
      return missing === undefined
        ? []
        : [
            {
              seen: `of ${key} ${missing}`,
              fix,
              mayHeal: podsOf(existing, found, version).length > 0,
            },
          ];
    }),
    // Their controllers have made as many as their owner wants.
    ...(waiting.length > 0 && waiting.length < pods.length
      ? [
          {
            seen: `${pods.length - waiting.length} of ${pods.length} pods of ${canary} of ${key} are ready`,
            fix,
            mayHeal: true,
          },
        ]
      : []),
  ];
}

/** Of a service that others have made, both versions must be there: nobody else sees to it. */
export const existingVersions: Check = {
  name: "both versions of existing services are there",
  run: async ({ cluster, canaries }) => {
    const findings = await Promise.all(canaries.map((canary) => findingsOf(cluster, canary)));
    return findings.flat();
  },
};
