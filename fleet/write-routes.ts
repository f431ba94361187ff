import { ApiException, PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import type { ServiceName } from "../lib/names.ts";
import type { MeshCluster } from "./cluster.ts";

/**
 * Owns the routing rules that it writes ahead of Pulumi, and nothing else of the object. Pulumi's
 * provider then applies the same rules and owns them too.
 */
const MANAGER = "istio-canary";

/** Writes a service's routing rules, or lets the API server and its webhooks try what they would say. */
export async function writeRoutes(
  cluster: MeshCluster,
  { service, namespace }: ServiceName,
  http: readonly unknown[],
  { dryRun = false } = {},
): Promise<void> {
  const object: KubernetesObject & { spec: unknown } = {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: service, namespace },
    spec: { http },
  };
  await cluster.objects.patch(
    object,
    undefined,
    dryRun ? "All" : undefined,
    MANAGER,
    true,
    PatchStrategy.ServerSideApply,
  );
}

/** Whether the API server has refused a request, which then has had no effect. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiException && error.code >= 400 && error.code < 500;
}
