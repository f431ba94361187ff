import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import type { ServiceName } from "../../../lib/names.ts";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import { FENCED } from "../../../lib/routing/routing-annotations.ts";
import type { RoutingRules } from "../../../lib/routing/routing.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import type { WriteOptions } from "../cluster-routing.ts";

/**
 * Owns the routing rules that it writes ahead of Pulumi, and nothing else of the object. Pulumi's
 * provider then applies the same rules and owns them too.
 */
const MANAGER = "istio-canary";

/** Writes a service's routing rules. */
export async function writeRoutes(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
  http: RoutingRules,
  { dryRun = false, replacing, fence = false }: WriteOptions = {},
): Promise<void> {
  const object: KubernetesObject & { spec: unknown } = {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: "VirtualService",
    metadata: {
      name: service,
      namespace,
      ...(replacing !== undefined && { resourceVersion: replacing }),
      ...(fence && { annotations: { [FENCED]: new Date().toISOString() } }),
    },
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
