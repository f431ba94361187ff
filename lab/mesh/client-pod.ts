import { ApiException, type KubernetesObject, type V1Pod } from "@kubernetes/client-node";

import { until } from "../../lib/until.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { clientNamespace, imageHub } from "./e2e.ts";

/** The image of the lab's clients. */
export const clientImage = `${imageHub}/client:1`;

function manifests(name: string, command: readonly string[]): KubernetesObject[] {
  const pod: V1Pod & KubernetesObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: clientNamespace, labels: { app: name, version: "v1" } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: [{ name, image: clientImage, command: [...command] }],
    },
  };
  const namespace = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: clientNamespace, labels: { "istio-injection": "enabled" } },
  };
  return [namespace, pod];
}

/**
 * Makes a pod with a sidecar that runs `command`, or finds it, and waits until it is ready.
 *
 * @param name of the pod and its container
 */
export async function ensureClientPod(
  cluster: ClusterClient,
  name = "client",
  command: readonly string[] = ["sleep", "infinity"],
): Promise<V1Pod> {
  for (const object of manifests(name, command)) {
    await cluster.objects.patch(
      object,
      undefined,
      undefined,
      "lab",
      true,
      "application/apply-patch+yaml",
    );
  }
  return until(
    `pod ${clientNamespace}/${name} of ${cluster.name}`,
    async () => {
      const pod = await cluster.core.readNamespacedPod({ name, namespace: clientNamespace });
      const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
      if (ready?.status !== "True") {
        throw new Error(`it is ${ready?.reason ?? pod.status?.phase ?? "not yet scheduled"}`);
      }
      return pod;
    },
    { timeoutMs: 90_000, everyMs: 250 },
  );
}

/** Deletes a client pod and waits until it is gone. */
export async function deleteClientPod(cluster: ClusterClient, name = "client"): Promise<void> {
  const gone = (error: unknown): boolean => error instanceof ApiException && error.code === 404;
  try {
    await cluster.core.deleteNamespacedPod({ name, namespace: clientNamespace });
  } catch (error) {
    if (gone(error)) return;
    throw error;
  }
  await until(
    `pod ${clientNamespace}/${name} of ${cluster.name} to be gone`,
    async () => {
      try {
        await cluster.core.readNamespacedPod({ name, namespace: clientNamespace });
      } catch (error) {
        if (gone(error)) return;
        throw error;
      }
      throw new Error("it is still there");
    },
    { timeoutMs: 60_000, everyMs: 250 },
  );
}
