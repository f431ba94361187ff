import { AppsV1Api } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import type { MeshCluster } from "../../fleet/cluster.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { labClusters } from "./lab.ts";

const clusters = labClusters();

const created = z.looseObject({
  items: z
    .array(z.looseObject({ metadata: z.looseObject({ creationTimestamp: z.iso.datetime() }) }))
    .min(1),
});

async function creationTimes(cluster: MeshCluster, plural: string): Promise<number[]> {
  const list: unknown = await cluster.custom.listNamespacedCustomObject({
    group: "networking.istio.io",
    version: "v1",
    namespace: userService.namespace,
    plural,
  });
  return created.parse(list).items.map(({ metadata }) => Date.parse(metadata.creationTimestamp));
}

/** When the rollout of each version of the service was complete. */
async function rolloutTimes(cluster: MeshCluster): Promise<number[]> {
  const { items } = await cluster.kubeConfig
    .makeApiClient(AppsV1Api)
    .listNamespacedDeployment({ namespace: userService.namespace });
  return items.map(({ metadata, status }) => {
    const done = status?.conditions?.find(({ reason }) => reason === "NewReplicaSetAvailable");
    if (!done?.lastUpdateTime) throw new Error(`${metadata?.name ?? ""} never became available`);
    return done.lastUpdateTime.getTime();
  });
}

async function everywhere(times: (cluster: MeshCluster) => Promise<number[]>): Promise<number[]> {
  return (await Promise.all(clusters.map(times))).flat();
}

describe("the installation", () => {
  it("had both versions available in all clusters before any DestinationRule", async () => {
    const rollouts = await everywhere(rolloutTimes);
    const rules = await everywhere((cluster) => creationTimes(cluster, "destinationrules"));
    expect(rollouts).toHaveLength(2 * clusters.length);
    expect(Math.max(...rollouts)).toBeLessThanOrEqual(Math.min(...rules));
  });

  it("had the DestinationRules in all clusters before any VirtualService", async () => {
    const rules = await everywhere((cluster) => creationTimes(cluster, "destinationrules"));
    const routes = await everywhere((cluster) => creationTimes(cluster, "virtualservices"));
    expect(Math.max(...rules)).toBeLessThanOrEqual(Math.min(...routes));
  });
});
