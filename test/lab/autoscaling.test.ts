import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { labService } from "../../lab/mesh/service.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { labPulumi } from "./lab.ts";
import { clusters, failure } from "./release.ts";

const stack = "lab-autoscaling";
const { name: service, namespace } = labService("autoscaling", "");
const pulumi = labPulumi(stack);
/** Pods of each version before an autoscaler decides. */
const PODS = 2;

/** Plays an autoscaler: the lab has no metrics by which a real one would add or remove pods within its limits. */
async function scale(cluster: ClusterClient, version: string, replicas: number): Promise<void> {
  const at = { name: `${service}-${version}`, namespace };
  const found = await cluster.apps.readNamespacedDeploymentScale(at);
  await cluster.apps.replaceNamespacedDeploymentScale({
    ...at,
    body: { metadata: found.metadata ?? {}, spec: { replicas } },
  });
}

/** Waits until so many pods of a version are wanted, and are available. */
async function untilPods(cluster: ClusterClient, version: string, pods: number): Promise<void> {
  await until(
    `${pods} pods of ${version} in ${cluster.name}`,
    async () => {
      const { spec, status } = await cluster.apps.readNamespacedDeployment({
        name: `${service}-${version}`,
        namespace,
      });
      const { replicas, availableReplicas } = status ?? {};
      if ([spec?.replicas, replicas, availableReplicas].some((count) => count !== pods)) {
        throw new Error(JSON.stringify(status));
      }
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
}

/** The pods of all versions by their identity: what is removed is gone from it. */
async function pods({ core }: ClusterClient): Promise<readonly (string | undefined)[]> {
  const { items } = await core.listNamespacedPod({ namespace, labelSelector: `app=${service}` });
  return items
    .filter(({ metadata }) => !metadata?.deletionTimestamp)
    .map(({ metadata }) => metadata?.uid)
    .sort();
}

/** Who owns the count of a version's Deployment. */
async function ownersOfCount({ apps }: ClusterClient, version: string): Promise<string[]> {
  const name = `${service}-${version}`;
  const { metadata } = await apps.readNamespacedDeployment({ name, namespace });
  return (metadata?.managedFields ?? []).flatMap(({ manager = "", fieldsV1 }) =>
    JSON.stringify(fieldsV1).includes('"f:replicas":{}') ? [manager] : [],
  );
}

/** Fewest pods that the autoscaler of a version keeps. */
async function minimum({ autoscaling }: ClusterClient, version: string): Promise<number> {
  const { spec } = await autoscaling.readNamespacedHorizontalPodAutoscaler({
    name: `${service}-${version}`,
    namespace,
  });
  return spec.minReplicas ?? 1;
}

describe("a service that gets autoscalers", () => {
  beforeAll(async () => {
    await makeReleaseStack(labSettings(), stack, {
      services: [serviceConfig({ name: service, namespace }, PODS)],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    await pulumi.up("autoscaling: fixed counts");
  });

  afterAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
  });

  it("keeps every pod when the count is handed over", async () => {
    const before = await Promise.all(clusters.map(pods));
    for (const role of ["stable", "canary"]) {
      await pulumi.setConfig(`services[0].${role}.replicas`, undefined);
    }
    await pulumi.setConfigs({
      "services[0].autoscaling.min": "1",
      "services[0].autoscaling.max": "3",
    });
    await pulumi.up("autoscaling: the hand-over");
    for (const [i, cluster] of clusters.entries()) {
      for (const version of ["v1", "v2"]) {
        await untilPods(cluster, version, PODS);
        const owners = await ownersOfCount(cluster, version);
        expect(owners).toContain("istio-canary-count");
        expect(owners.filter((owner) => owner.startsWith("pulumi"))).toEqual([]);
      }
      expect(await pods(cluster)).toEqual(before[i]);
    }
  });

  it("is in no conflict with what an autoscaler writes", async () => {
    for (const cluster of clusters) await scale(cluster, "v2", 1);
    for (const cluster of clusters) await untilPods(cluster, "v2", 1);
    const { value } = await pulumi.preview("--refresh");
    expect(value.filter(({ op }) => op !== "refresh")).toEqual([]);
  });

  it("rises with a canary that is small enough to be enough, and keeps stable as it was", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("autoscaling: 10 %");
    for (const cluster of clusters) {
      expect(await minimum(cluster, "v1"), cluster.name).toBe(PODS);
      expect(await minimum(cluster, "v2"), cluster.name).toBe(1);
    }
    // The real autoscaler keeps the least, also without metrics.
    await Promise.all(clusters.map((cluster) => scale(cluster, "v1", 1)));
    for (const cluster of clusters) await untilPods(cluster, "v1", PODS);
  });

  it(
    "refuses a weight for which the autoscaler may not make enough pods",
    { tags: ["campaign"] },
    async () => {
      await pulumi.setConfig("safety.capacity", "10");
      await pulumi.setWeight(30);
      const text = await failure(pulumi.up("autoscaling: too little"));
      for (const cluster of clusters) {
        expect(text).toContain(
          `${cluster.name}: the canary's pods are available: no, 1 of 6 pods of Deployment ${namespace}/${service}-v2 are available that 30 % of the requests need: stable has ${PODS} for all of them`,
        );
      }
      expect(text).toContain(`HorizontalPodAutoscaler ${service}-v2 makes at most 3`);
      await pulumi.setConfig("safety.capacity", undefined);
      await pulumi.setWeight(10);
    },
  );

  it("refuses to leave stable less while the canary serves, and gives it back at 0 %", async () => {
    await pulumi.setConfig("services[0].autoscaling.max", "1");
    const text = await failure(pulumi.preview());
    expect(text).toContain(`services[0].autoscaling.max: must be at least ${PODS} until`);
    await pulumi.setConfig("services[0].autoscaling.max", "3");
    await pulumi.setWeight(0);
    await pulumi.up("autoscaling: 0 %");
    for (const cluster of clusters) {
      expect(await minimum(cluster, "v1"), cluster.name).toBe(1);
      await untilPods(cluster, "v1", PODS);
    }
  });
});
