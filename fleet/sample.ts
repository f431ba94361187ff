import type { V1Pod } from "@kubernetes/client-node";
import { isSidecar, workloadOf } from "./proxy-pod.ts";

/**
 * The proxies that are asked themselves. Up to `most` these are all. Of more, these are all gateways, and sidecars of as
 * many workloads as possible, so that what somebody has changed for one workload alone is seen. Which pods of a
 * workload are chosen is chance, but the same ones each time.
 */
export function sampled(pods: readonly V1Pod[], most: number): readonly V1Pod[] {
  if (pods.length <= most) return pods;
  const uid = ({ metadata }: V1Pod) => metadata?.uid ?? "";
  // API servers make UIDs at random.
  const sidecars = pods.filter(isSidecar).sort((a, b) => (uid(a) < uid(b) ? -1 : 1));
  const gateways = pods.filter((pod) => !isSidecar(pod));
  const workloads = [...Map.groupBy(sidecars, workloadOf).values()];
  const chosen = [...gateways];
  const longest = Math.max(0, ...workloads.map((each) => each.length));
  for (let i = 0; i < longest; i++) chosen.push(...workloads.flatMap((each) => each[i] ?? []));
  return chosen.slice(0, Math.max(most, gateways.length));
}
