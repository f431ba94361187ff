import type { ReleaseSettings } from "./config.ts";

/**
 * The other clusters that have hosts of their own in one. Hosts that name a cluster lead to its east-west gateway: in one
 * network there is none, and calls go from pod to pod.
 */
export function namedClusters(
  { clusters, oneNetwork = false }: Pick<ReleaseSettings, "clusters" | "oneNetwork">,
  cluster: string,
): readonly string[] {
  return oneNetwork ? [] : clusters.map(({ name }) => name).filter((name) => name !== cluster);
}
