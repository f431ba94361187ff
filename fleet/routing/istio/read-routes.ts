import type { V1OwnerReference } from "@kubernetes/client-node";
import * as z from "zod";
import { serviceKey, type ServiceName } from "../../../lib/names.ts";
import { GROUP, VERSION, VIRTUAL_SERVICES } from "../../../lib/routing/istio/kinds.ts";
import { foundRoute } from "../../../lib/routing/istio/route-content.ts";
import type { AskedService, FoundRoute } from "../../../lib/routing/routing.ts";
import { VERSION_LABELS } from "../../../lib/routing/version-labels.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { isFinal, isNotFound } from "../../explain.ts";
import { allPages } from "../../pages.ts";
import { objectList } from "./object-list.ts";

const named = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
});
const list = objectList(named);

async function virtualService(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
): Promise<unknown> {
  return cluster.custom.getNamespacedCustomObject({
    group: GROUP,
    version: VERSION,
    plural: VIRTUAL_SERVICES,
    namespace,
    name: service,
  });
}

const versionsOf = ({ stable, canary }: AskedService) => [stable, canary];

/**
 * The routes of the VirtualServices of a cluster that this program has written, by their labels.
 *
 * @param only these, as `namespace/name`: what is wrong with another one does not matter. @default all
 * @param asked versions that some of them may name
 */
export async function ownedRoutes(
  cluster: ClusterClient,
  only: readonly string[] = [],
  asked: readonly AskedService[] = [],
): Promise<readonly FoundRoute[]> {
  const items = await allPages(async (page) =>
    list.parse(
      await cluster.custom.listCustomObjectForAllNamespaces({
        group: GROUP,
        version: VERSION,
        resourcePlural: VIRTUAL_SERVICES,
        labelSelector: VERSION_LABELS.stable,
        ...page,
      }),
    ),
  );
  const wanted = new Set(only);
  return items
    .filter(
      ({ metadata: { name: service, namespace } }) =>
        wanted.size === 0 || wanted.has(serviceKey({ service, namespace })),
    )
    .map((item) => {
      const { name: service, namespace } = item.metadata;
      const own = asked.find((each) => serviceKey(each) === serviceKey({ service, namespace }));
      return foundRoute(item, own && versionsOf(own));
    });
}

async function routeOf(
  cluster: ClusterClient,
  asked: AskedService,
): Promise<readonly FoundRoute[]> {
  try {
    return [foundRoute(await virtualService(cluster, asked), versionsOf(asked))];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Those that a list has; none where the user may not list in all namespaces. */
async function listed(
  cluster: ClusterClient,
  services: readonly AskedService[],
): Promise<readonly FoundRoute[]> {
  try {
    return await ownedRoutes(cluster, services.map(serviceKey), services);
  } catch (error) {
    if (isFinal(error)) return [];
    throw error;
  }
}

/**
 * The routes of services. Several are read by one list. Whoever takes the labels off an object must not make its
 * route vanish, so what the list does not have is asked for by name.
 */
export async function routesOf(
  cluster: ClusterClient,
  services: readonly AskedService[],
): Promise<readonly FoundRoute[]> {
  const found = services.length > 1 ? await listed(cluster, services) : [];
  const keys = new Set(found.map(serviceKey));
  const others = await Promise.all(
    services
      .filter((name) => !keys.has(serviceKey(name)))
      .map(async (name) => routeOf(cluster, name)),
  );
  return [...found, ...others.flat()];
}

const identity = z.looseObject({ metadata: z.looseObject({ name: z.string(), uid: z.string() }) });

/** A service's VirtualService, as the owner of what is to go with it. */
export async function ownerOf(
  cluster: ClusterClient,
  name: ServiceName,
): Promise<V1OwnerReference> {
  const { metadata } = identity.parse(await virtualService(cluster, name));
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: "VirtualService",
    name: metadata.name,
    uid: metadata.uid,
    // Controllers of other kinds adopt revisions that have none.
    controller: true,
  };
}
