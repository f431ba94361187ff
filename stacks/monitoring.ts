import { CanaryMonitoring } from "../components/index.ts";
import { ruleGroups } from "../monitoring/rules.ts";
import type { Settings } from "./config.ts";
import type { MeshCluster } from "./mesh.ts";
import { durationMs } from "./schema.ts";

/**
 * Sets monitoring up in every cluster, if it is configured. Nothing of it knows a service, a
 * version or a weight: a release changes nothing here, and services of other stacks are seen too.
 */
export function installMonitoring(
  { monitoring, clusters: all }: Settings,
  clusters: readonly MeshCluster[],
): void {
  if (!monitoring) return;
  const { window, alerts, thresholds, runbooks, ...args } = monitoring;
  const { latency, ...others } = thresholds;
  const rules = ruleGroups({
    otherClusters: all.length - 1,
    thresholds: { ...others, latencyMs: durationMs(latency) },
    window,
    alerts,
    runbooks,
  });
  for (const cluster of clusters) {
    new CanaryMonitoring(
      `monitoring-${cluster.name}`,
      { ...args, cluster: cluster.name, rules },
      { providers: { kubernetes: cluster.provider }, dependsOn: [...cluster.ready] },
    );
  }
}
