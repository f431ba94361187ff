import { execa } from "execa";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { labEnvironment } from "../../lab/environment.ts";
import { deleteClientPod } from "../../lab/mesh/client-pod.ts";
import { labSettings } from "../../lab/settings.ts";

/**
 * Has every pod with a proxy replaced, so that it gets that of the control plane which now injects it: those of
 * Deployments one after the other, and clients of tests, which are pods alone and are not made again.
 */
export async function restartProxies(clusters: readonly ClusterClient[]): Promise<void> {
  await Promise.all(clusters.map(restartIn));
}

async function restartIn(cluster: ClusterClient): Promise<void> {
  const kubectl = (...args: readonly string[]) =>
    execa("kubectl", ["--context", cluster.name, ...args], {
      env: labEnvironment(labSettings()),
    });
  const deployments = new Set<string>();
  for (const { metadata } of await cluster.podsWithProxy()) {
    const {
      name = "",
      namespace = "",
      labels = {},
      ownerReferences: [owner] = [],
    } = metadata ?? {};
    if (owner === undefined) await deleteClientPod(cluster, name);
    else {
      const deployment = owner.name.replace(`-${labels["pod-template-hash"] ?? ""}`, "");
      deployments.add(`--namespace=${namespace} deployment/${deployment}`);
    }
  }
  for (const deployment of deployments) {
    await kubectl("rollout", "restart", ...deployment.split(" "));
  }
  for (const deployment of deployments) {
    await kubectl("rollout", "status", "--timeout=180s", ...deployment.split(" "));
  }
}
