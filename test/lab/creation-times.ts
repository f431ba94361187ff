import { z } from "zod";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { labClusters } from "./lab.ts";

const created = z.looseObject({
  items: z
    .array(z.looseObject({ metadata: z.looseObject({ creationTimestamp: z.iso.datetime() }) }))
    .min(1),
});

async function everywhere(times: (cluster: ClusterClient) => Promise<number[]>): Promise<number[]> {
  return (await Promise.all(labClusters().map(times))).flat();
}

/** When each of Istio's objects of a kind was made, over all clusters. */
export async function creationTimes(namespace: string, plural: string): Promise<number[]> {
  return everywhere(async (cluster) => {
    const list: unknown = await cluster.custom.listNamespacedCustomObject({
      group: "networking.istio.io",
      version: "v1",
      namespace,
      plural,
    });
    return created.parse(list).items.map(({ metadata }) => Date.parse(metadata.creationTimestamp));
  });
}

/** When the rollout of each Deployment was complete, over all clusters. */
export async function rolloutTimes(namespace: string): Promise<number[]> {
  return everywhere(async (cluster) => {
    const { items } = await cluster.apps.listNamespacedDeployment({ namespace });
    return items.map(({ metadata, status }) => {
      const done = status?.conditions?.find(({ reason }) => reason === "NewReplicaSetAvailable");
      if (!done?.lastUpdateTime) throw new Error(`${metadata?.name ?? ""} never became available`);
      return done.lastUpdateTime.getTime();
    });
  });
}
