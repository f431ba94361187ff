import {
  absence,
  podsOf,
  readyPodsOf,
  workloadObjections,
  type ExistingService,
  type FoundWorkload,
} from "../../lib/existing.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { findAutoscaler } from "../find-autoscaler.ts";
import { findWorkload } from "../find-workload.ts";
import type { Canary, Check, Finding } from "./check.ts";
import { autoscaledFindings, leastOf, nextWeight } from "./enough-pods.ts";

/** What speaks against more requests for a canary of which its owner wants fewer pods than they take. */
async function smallFindings(
  cluster: ClusterClient,
  existing: ExistingService,
  found: FoundWorkload,
  { canary, needed }: Canary,
  weight: number,
  capacity: number,
): Promise<readonly Finding[]> {
  const { namespace, service, stable } = existing;
  const pods = podsOf(existing, found, canary);
  const available = readyPodsOf(existing, found, canary).length;
  // Stable has fewer than it had before, once the canary serves its part.
  const all = needed?.get(cluster.name) ?? readyPodsOf(existing, found, stable).length;
  const least = leastOf(all, weight, capacity);
  // One that has none, or some that are not ready yet, is told as that.
  if (available === 0 || pods.length >= least.pods) return [];
  const seen = `${available} of ${least.pods} pods of ${canary} of ${namespace}/${service} are ready${least.why}`;
  const workloads = new Map(pods.flatMap(({ scaled }) => (scaled ? [[scaled.name, scaled]] : [])));
  const [scaled] = workloads.values();
  // Of several workloads none has to make all of the pods.
  const autoscaler =
    scaled && workloads.size === 1
      ? await findAutoscaler(cluster, { name: scaled.name, namespace }, scaled.kinds)
      : undefined;
  return autoscaler
    ? autoscaledFindings(
        autoscaler,
        { seen, available, least },
        namespace,
        "Have its owner raise its maximum.",
      )
    : [
        {
          seen,
          fix: `Have its owner run more pods of ${canary} there. safety.capacity sets how many are enough.`,
          mayHeal: false,
        },
      ];
}

/** What speaks against more requests for a canary that others have made. */
async function findingsOf(
  cluster: ClusterClient,
  of: Canary,
  weight: number,
  capacity: number,
): Promise<readonly Finding[]> {
  const { service, namespace, canary, existing } = of;
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
    ...(await smallFindings(cluster, existing, found, of, weight, capacity)),
  ];
}

/** Of a service that others have made, both versions must be there, and enough of the canary: nobody else sees to it. */
export const existingVersions: Check = {
  name: "both versions of existing services are there",
  run: async ({ cluster, canaries, rises, limits }) => {
    const weight = nextWeight({ cluster, rises });
    const findings = await Promise.all(
      canaries.map((canary) => findingsOf(cluster, canary, weight, limits.capacity)),
    );
    return findings.flat();
  },
};
