import type { KubernetesObject, V1Deployment } from "@kubernetes/client-node";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import { isSidecar } from "../../fleet/proxy-pod.ts";
import { clientImage } from "../../lab/mesh/client-pod.ts";
import { clientNamespace } from "../../lab/mesh/e2e.ts";
import { until } from "../../lib/until.ts";

const NAME = "crowd";

/** Each takes some 50 MiB of the machine's memory, and asks Kubernetes for next to nothing. */
function deployment(replicas: number): V1Deployment & KubernetesObject {
  const labels = { app: NAME, version: "v1" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: NAME, namespace: clientNamespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: {
          labels,
          annotations: { "sidecar.istio.io/proxyCPU": "1m", "sidecar.istio.io/proxyMemory": "8Mi" },
        },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: NAME, image: clientImage, command: ["sleep", "infinity"] }],
        },
      },
    },
  };
}

/** Adds sidecars to a cluster that send nothing, until so many are ready there, and waits for them. */
export async function ensureCrowd(cluster: ClusterClient, sidecars: number): Promise<void> {
  const there = (await cluster.proxies()).filter(isSidecar).length;
  await cluster.objects.create(deployment(Math.max(0, sidecars - there)));
  await until(
    `${sidecars} sidecars in ${cluster.name}`,
    async () => {
      const ready = (await cluster.proxies()).filter(isSidecar).length;
      if (ready < sidecars) throw new Error(`${ready} are ready`);
    },
    { timeoutMs: 540_000, everyMs: 2_000 },
  );
}

/** Removes what `ensureCrowd` has made, and waits until it is gone. */
export async function removeCrowd(cluster: ClusterClient): Promise<void> {
  await cluster.objects.delete(deployment(0)).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  await until(
    `the pods of ${NAME} in ${cluster.name} to be gone`,
    async () => {
      const { items } = await cluster.core.listNamespacedPod({
        namespace: clientNamespace,
        labelSelector: `app=${NAME}`,
      });
      if (items.length > 0) throw new Error(`${items.length} are there`);
    },
    { timeoutMs: 300_000, everyMs: 1_000 },
  );
}
