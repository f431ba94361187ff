import { z } from "zod";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { routing } from "../../lib/routing/index.ts";
import { crossClusterHost, serviceHost, type ServiceName } from "../../lib/names.ts";
import { versionName } from "../../lib/version-name.ts";

/** The versions of every service of the lab, by their role as a release begins. */
export const labVersions = { stable: "v1", canary: "v2" } as const;

/** A service of the lab: the echo server as two versions. */
export interface LabService {
  readonly name: string;
  readonly namespace: string;
  /** Its name inside every cluster of the mesh. */
  readonly host: string;
  /** Its name for clients outside the mesh, at the ingress gateways. */
  readonly ingressHost: string;
  readonly stable: string;
  readonly canary: string;
}

/** The name of every service that the lab releases by itself; its namespace tells which one is meant. */
const NAME = "user-service";

/** The echo server as two versions in a namespace of its own. */
export function labService(namespace: string, ingressHost: string): LabService {
  const host = serviceHost({ service: NAME, namespace }, "cluster.local");
  return { name: NAME, namespace, host, ingressHost, ...labVersions };
}

/** A service as the program names it. */
export function serviceName({ name, namespace }: LabService): ServiceName {
  return { service: name, namespace };
}

/** The name under which the mesh reaches a service in one given cluster. */
export function hostInCluster(service: LabService, cluster: string): string {
  return crossClusterHost(serviceName(service), cluster);
}

/** The routing objects of the service in one cluster, as its API server has them. */
export interface RoutingObjects {
  readonly virtualServices: Readonly<Record<string, unknown>>;
  readonly destinationRules: Readonly<Record<string, unknown>>;
  readonly serviceEntries: Readonly<Record<string, unknown>>;
}

async function specs(
  cluster: ClusterClient,
  namespace: string,
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
        namespace,
        plural,
      }),
    );
  return Object.fromEntries(list.items.map(({ metadata, spec }) => [metadata.name, spec]));
}

/** Reads every routing object of the service's namespace. */
export async function routingObjects(
  cluster: ClusterClient,
  { namespace }: LabService,
): Promise<RoutingObjects> {
  const [virtualServices, destinationRules, serviceEntries] = await Promise.all([
    specs(cluster, namespace, "virtualservices"),
    specs(cluster, namespace, "destinationrules"),
    specs(cluster, namespace, "serviceentries"),
  ]);
  return { virtualServices, destinationRules, serviceEntries };
}

/** The canary's weight in a cluster's one VirtualService. */
export async function weightInApiServer(
  cluster: ClusterClient,
  service: LabService,
): Promise<number> {
  const { virtualServices } = await routingObjects(cluster, service);
  const names = Object.keys(virtualServices);
  if (names.length !== 1) {
    throw new Error(
      `${cluster.name} must have exactly one VirtualService in namespace ${service.namespace}, found ${names.length}: ${names.join(", ")}`,
    );
  }
  const { split } = routing.read({ spec: Object.values(virtualServices)[0] });
  // Without its labels, an object tells the subset alone.
  return split?.canary === versionName(service.canary) ? split.weight : 0;
}
