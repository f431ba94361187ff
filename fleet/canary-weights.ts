import * as z from "zod";
import { deployedRoute } from "../lib/deployed.ts";
import { CONTEXTS } from "../lib/routing/istio/routing-annotations.ts";
import { VERSION_LABELS } from "../lib/routing/istio/version-labels.ts";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import { follows } from "../lib/served.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";

/** A canary and its weight in one cluster, as its API server has it. */
export interface CanaryWeight extends ServiceName {
  readonly canary: string;
  /** Percent of the requests. */
  readonly weight: number;
  /** Names under which clients know the service. */
  readonly hosts: readonly string[];
  /** The routing rules as they are there. */
  readonly http: readonly unknown[];
  /** Kubeconfig contexts of the clusters that are released together; none where nobody has recorded them. */
  readonly contexts: readonly string[];
}

/** Reads the canaries of a cluster that have a weight of their own. */
export type FindCanaries = (cluster: ClusterClient) => Promise<readonly CanaryWeight[]>;

const KIND = { group: "networking.istio.io", version: "v1" } as const;

const virtualService = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.looseObject({ hosts: z.array(z.string()).default([]) }),
});
const list = z.looseObject({ items: z.array(virtualService) });

/** What the annotation says; nothing if it is not there, or not as this program writes it. */
function contextsIn(text = "[]"): readonly string[] {
  try {
    return z.array(z.string()).parse(JSON.parse(text));
  } catch {
    return [];
  }
}

/** Its canary; none if it has no second version, or follows the entries of a chain. */
function canaryOf(found: z.output<typeof virtualService>): readonly CanaryWeight[] {
  const { metadata, spec } = found;
  const route = deployedRoute(found, {});
  if (route.canary === undefined || follows(route)) return [];
  return [
    {
      service: metadata.name,
      namespace: metadata.namespace,
      canary: route.canary,
      weight: route.weight,
      hosts: spec.hosts,
      http: route.http,
      contexts: contextsIn(metadata.annotations[CONTEXTS]),
    },
  ];
}

/**
 * The canaries of all VirtualServices of a cluster that this program has written, whichever stack releases them.
 *
 * @param only these, as `namespace/name`. @default all
 * @throws if one of them is not there
 */
export async function ownedCanaries(
  cluster: ClusterClient,
  only: readonly string[] = [],
): Promise<readonly CanaryWeight[]> {
  const { items } = list.parse(
    await cluster.custom.listCustomObjectForAllNamespaces({
      ...KIND,
      resourcePlural: "virtualservices",
      labelSelector: VERSION_LABELS.stable,
    }),
  );
  const keyOf = ({ metadata }: (typeof items)[number]) =>
    serviceKey({ service: metadata.name, namespace: metadata.namespace });
  const missing = only.filter((key) => !items.some((item) => keyOf(item) === key));
  if (missing.length > 0) {
    throw new Error(`it has no VirtualService of this program for ${missing.join(", ")}`);
  }
  return items.filter((item) => only.length === 0 || only.includes(keyOf(item))).flatMap(canaryOf);
}

/** The canaries of a stack's services in a cluster, where they are the ones on trial. */
export async function canariesOf(
  cluster: ClusterClient,
  services: readonly (ServiceName & { readonly canary: string })[],
): Promise<readonly CanaryWeight[]> {
  const found = await Promise.all(
    services.map(async ({ service, namespace, canary }) => {
      try {
        const object: unknown = await cluster.custom.getNamespacedCustomObject({
          ...KIND,
          plural: "virtualservices",
          namespace,
          name: service,
        });
        // Where another version is the canary, it is another release.
        return canaryOf(virtualService.parse(object)).filter((each) => each.canary === canary);
      } catch (error) {
        if (isNotFound(error)) return [];
        throw error;
      }
    }),
  );
  return found.flat();
}
