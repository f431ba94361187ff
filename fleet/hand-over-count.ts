import { ApiException, PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import type { ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";

/** Who owns a Deployment's count from the moment when Pulumi drops it until an autoscaler writes it. */
const MANAGER = "istio-canary-count";
const CONFLICT = 409;

/** Times that an autoscaler may change the count while it is handed over. */
const ATTEMPTS = 5;

/**
 * Has a manager of its own share the count that a Deployment has, so that Pulumi can drop it: the API server removes what
 * its only manager drops, and the Deployment would have one pod, by default. An autoscaler takes the count
 * from whoever owns it by the first write.
 *
 * @throws if the API server does not answer, or refuses
 */
export async function handOverCount(
  cluster: ClusterClient,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  attempts = ATTEMPTS,
): Promise<void> {
  try {
    const { spec } = await cluster.apps.readNamespacedDeployment({ name, namespace });
    const object: KubernetesObject & { spec: { replicas: number } } = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: { replicas: spec?.replicas ?? 1 },
    };
    // Without force: who has changed the count since it was read must be right.
    await cluster.objects.patch(
      object,
      undefined,
      undefined,
      MANAGER,
      false,
      PatchStrategy.ServerSideApply,
    );
  } catch (error) {
    if (isNotFound(error)) return;
    if (!(error instanceof ApiException) || error.code !== CONFLICT || attempts <= 1) throw error;
    await handOverCount(cluster, { name, namespace }, attempts - 1);
  }
}
