import { ApiException, PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import type { ServiceName } from "../../../lib/names.ts";
import type { ClusterClient } from "../../cluster-client.ts";

/**
 * Owns the routing rules that it writes ahead of Pulumi, and nothing else of the object. Pulumi's
 * provider then applies the same rules and owns them too.
 */
const MANAGER = "istio-canary";

const REQUEST_TIMEOUT = 408;
const TOO_MANY_REQUESTS = 429;

/** How a write is to be made. */
interface WriteOptions {
  /** Only lets the API server and its webhooks try what they would say. @default false */
  readonly dryRun?: boolean;
  /** The state that is to be replaced; in any other one the write is refused. @default whichever it is */
  readonly replacing?: string | undefined;
  /**
   * Makes a new state even where the rules are in force already, so that a write to the old one, which is perhaps
   * still under way, is refused. @default false
   */
  readonly fence?: boolean;
}

/** When a write was fenced off. The next write of the rules takes it away. */
const FENCED = "istio-canary/fenced-at";

/** Writes a service's routing rules. */
export async function writeRoutes(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
  http: readonly unknown[],
  { dryRun = false, replacing, fence = false }: WriteOptions = {},
): Promise<void> {
  const object: KubernetesObject & { spec: unknown } = {
    apiVersion: "networking.istio.io/v1",
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

/** Whether the API server has refused a request for good: it would do so again. */
export function isFinal(error: unknown): boolean {
  return isRefusal(error) && error.code !== REQUEST_TIMEOUT && error.code !== TOO_MANY_REQUESTS;
}

/** Whether the API server has refused a request, which then has had no effect. */
export function isRefusal(error: unknown): error is ApiException<unknown> {
  return error instanceof ApiException && error.code >= 400 && error.code < 500;
}
