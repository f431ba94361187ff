import {
  crossClusterHost,
  crossClusterName,
  serviceHost,
  type ServiceName,
} from "../../../lib/names.ts";
import { VIRTUAL_SERVICES } from "../../../lib/routing/istio/kinds.ts";
import type { RoutingScope } from "../cluster-routing.ts";

/** Kinds of objects that route requests. */
export const ROUTING_KINDS = ["VirtualService", "DestinationRule", "ServiceEntry"] as const;
export type RoutingKind = (typeof ROUTING_KINDS)[number];

/** The kinds' names in URLs. */
export const PLURALS: Readonly<Record<RoutingKind, string>> = {
  VirtualService: VIRTUAL_SERVICES,
  DestinationRule: "destinationrules",
  ServiceEntry: "serviceentries",
};

/**
 * The scope of a service in one cluster.
 *
 * @param others names of the other clusters
 * @param outside hosts of the ingress gateway that lead to the service
 * @param isShared whether some of their paths lead to others. @default false
 */
export function routingScope(
  name: ServiceName,
  clusterDomain: string,
  others: readonly string[],
  outside: readonly string[],
  isShared = false,
): RoutingScope {
  const crossing = others.map((cluster) => crossClusterName(name.service, cluster));
  return {
    service: name.service,
    namespace: name.namespace,
    hosts: [
      serviceHost(name, clusterDomain),
      ...others.map((cluster) => crossClusterHost(name, cluster)),
      ...outside,
    ],
    ...(isShared && { shared: outside }),
    objects: {
      VirtualService: [name.service],
      DestinationRule: [name.service, ...crossing],
      ServiceEntry: crossing,
    },
  };
}
