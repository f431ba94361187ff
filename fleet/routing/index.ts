import type { ClusterRouting } from "./cluster-routing.ts";
import { adoptableOf } from "./istio/adoptable.ts";
import { routesOfAll, virtualHostsOf } from "./istio/envoy.ts";
import { gatewayObjectionOf } from "./istio/gateway-objects.ts";
import { hostSharesOf } from "./istio/host-shares.ts";
import { madeObjects, remakeObject } from "./istio/made-objects.ts";
import { ownerOf, ownedRoutes, routesOf } from "./istio/read-routes.ts";
import { claimsOf, readRouting } from "./istio/read-routing.ts";
import { routingScope } from "./istio/routing-scope.ts";
import { saidIn } from "./istio/said-in.ts";
import { behind } from "./istio/serves.ts";
import { writeRoutes } from "./istio/write-routes.ts";

/** By VirtualServices, DestinationRules and ServiceEntries of Istio, in a mesh with sidecars. */
export const clusterRouting: ClusterRouting = {
  read: routesOf,
  readOwned: (cluster, only) => ownedRoutes(cluster, only),
  write: writeRoutes,
  served: routesOfAll,
  held: virtualHostsOf,
  behind: (http, envoys) => behind({ http }, envoys),
  scope: routingScope,
  readAll: readRouting,
  claims: claimsOf,
  hostShares: hostSharesOf,
  gatewayObjection: gatewayObjectionOf,
  adoptable: adoptableOf,
  said: saidIn,
  made: madeObjects,
  remake: remakeObject,
  owner: ownerOf,
};
