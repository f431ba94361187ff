import { z } from "zod";

import { splitOf } from "../../lib/deployed.ts";

import type { MeshCluster } from "../../fleet/cluster.ts";

/** The service that the lab releases: an echo server as two versions. */
export const userService = {
  name: "user-service",
  namespace: "user",
  /** Its name inside every cluster of the mesh. */
  host: "user-service.user.svc.cluster.local",
  /** Its name for clients outside the mesh, at the ingress gateways. */
  ingressHost: "user-service.example.com",
  stable: "v1",
  canary: "v2",
} as const;

/** The name under which the mesh reaches the service in one given cluster. */
export function hostInCluster(cluster: string): string {
  return `${userService.name}.${userService.namespace}.${cluster}.mesh`;
}

/** The routing objects of the service in one cluster, as its API server has them. */
export interface RoutingObjects {
  readonly virtualServices: Readonly<Record<string, unknown>>;
  readonly destinationRules: Readonly<Record<string, unknown>>;
  readonly serviceEntries: Readonly<Record<string, unknown>>;
}

async function specs(
  cluster: MeshCluster,
  plural: string,
): Promise<Readonly<Record<string, unknown>>> {
  const list = z
    .looseObject({
      items: z.array(
        z.looseObject({ metadata: z.looseObject({ name: z.string() }), spec: z.unknown() }),
      ),
    })
    .parse(
      await cluster.custom.listNamespacedCustomObject({
        group: "networking.istio.io",
        version: "v1",
        namespace: userService.namespace,
        plural,
      }),
    );
  return Object.fromEntries(list.items.map(({ metadata, spec }) => [metadata.name, spec]));
}

/** Reads every routing object of the service's namespace. */
export async function routingObjects(cluster: MeshCluster): Promise<RoutingObjects> {
  const [virtualServices, destinationRules, serviceEntries] = await Promise.all([
    specs(cluster, "virtualservices"),
    specs(cluster, "destinationrules"),
    specs(cluster, "serviceentries"),
  ]);
  return { virtualServices, destinationRules, serviceEntries };
}

/** The canary's weight in a cluster's one VirtualService. */
export async function weightInApiServer(cluster: MeshCluster): Promise<number> {
  const { virtualServices } = await routingObjects(cluster);
  const names = Object.keys(virtualServices);
  if (names.length !== 1) {
    throw new Error(
      `${cluster.name} must have exactly one VirtualService in namespace ${userService.namespace}, found ${names.length}: ${names.join(", ")}`,
    );
  }
  const { canary, weight } = splitOf(Object.values(virtualServices)[0]);
  return canary === userService.canary ? weight : 0;
}
