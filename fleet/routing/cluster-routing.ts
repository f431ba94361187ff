import type { KubernetesObject, V1OwnerReference, V1Pod } from "@kubernetes/client-node";
import type { HostShare } from "../../lib/ingress-paths.ts";
import type { ServiceName } from "../../lib/names.ts";
import type { EnvoyRouting, RoutingState } from "../../lib/routing/differences.ts";
import type {
  AskedService,
  FoundRoute,
  RouteObjects,
  RoutingRules,
} from "../../lib/routing/routing.ts";
import type { SaidRoute } from "../../lib/routing/said.ts";
import type { ClusterClient } from "../cluster-client.ts";

/** How a write is to be made. */
export interface WriteOptions {
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

/** Everything by which an Envoy routes the requests of some hosts, by route table and virtual host. */
type HeldRoutes = Readonly<Record<string, HeldHost>>;

/** A virtual host of an Envoy. What else it holds, only the routing module reads. */
interface HeldHost {
  /** Those of the hosts asked for that it serves. */
  readonly domains: readonly string[];
}

/** How one Envoy routes the requests of one host. */
export interface EnvoyRoutes {
  readonly cluster: string;
  /** Namespace and name of the proxy's pod. */
  readonly pod: string;
  /** Share of each version in percent, for requests that match no header, by its name there; see Routing.shareIn. */
  readonly weights: Readonly<Record<string, number>>;
  /** The same in each of its route tables that has the service's routes, such as `80` and `9090`, one for each port. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** When this Envoy took over the route configuration (its own clock). */
  readonly updatedAt: Date;
  /** The host's virtual hosts as the Envoy holds them; equal routing gives equal values. */
  readonly virtualHosts: HeldRoutes;
}

/** A service as the routing objects and Envoys of one cluster know it. */
export interface RoutingScope extends ServiceName {
  /** Every name under which requests reach it there. */
  readonly hosts: readonly string[];
  /** Those of them at the gateway that lead to other services too, by their paths. @default none */
  readonly shared?: readonly string[] | undefined;
  /** Names of the objects that route it there, by kind. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
}

/** An object that this program has made to route requests. */
export interface MadeObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Value of its annotation REPLACES. @default it has none */
  readonly replaces: string | undefined;
}

/** A service whose rules of others are to become the program's. */
export interface AdoptionPlan extends ServiceName {
  readonly clusterDomain: string;
  /** Hosts of the ingress gateway that lead to the service. */
  readonly outside: readonly string[];
  /** The Service's port, if it has only one. */
  readonly port?: number | undefined;
  /** What the program makes of them. */
  readonly objects: Pick<RouteObjects, "versions" | "weights">;
  /** Names of the objects that are about the service in one other cluster, and the host of each. */
  readonly crossing: readonly { readonly name: string; readonly host: string }[];
}

/** An object of others that has the name of the program's. */
export interface Adoptable {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Where requests go by it, in words. */
  readonly says: string;
  /** Why it cannot become the program's: field, and what is there. None if no request would notice. */
  readonly objections: readonly string[];
  /** The tool that seems to apply it. @default none is known */
  readonly appliedBy?: string | undefined;
}

/** The routing of a service in one cluster, as it is now. */
export interface LiveRouting extends RoutingState {
  /** How many Envoys route to the service. */
  readonly envoyCount: number;
  /** The rules of the service. @default it has none there */
  readonly rules?: RoutingRules | undefined;
  /** Objects of others that name the service's hosts too, as `Kind namespace/name`. */
  readonly strays: readonly string[];
}

/**
 * How requests are routed to versions by weight in a running cluster: the other half of Routing, and the only code
 * that reads and writes its objects there, or asks Envoys for their routes.
 */
export interface ClusterRouting {
  /** How the services are routed, as the API server has it. Those that are not there yet are left out. */
  read(cluster: ClusterClient, services: readonly AskedService[]): Promise<readonly FoundRoute[]>;
  /**
   * How the services of a cluster are routed that this program releases, whichever stack they are of.
   *
   * @param only these, as `namespace/name`. @default all
   */
  readOwned(cluster: ClusterClient, only?: readonly string[]): Promise<readonly FoundRoute[]>;
  /** Writes a service's rules, and nothing else of its objects. */
  write(
    cluster: ClusterClient,
    name: ServiceName,
    rules: RoutingRules,
    options?: WriteOptions,
  ): Promise<void>;
  /**
   * How one proxy routes each of the services, asked once for all of them: the first of its hosts that it has a route
   * for, or undefined if there is none: an east-west gateway, for instance, forwards by SNI.
   *
   * @param services the hosts of each
   */
  served(
    cluster: ClusterClient,
    pod: V1Pod,
    services: readonly (readonly string[])[],
  ): Promise<readonly (EnvoyRoutes | undefined)[]>;
  /** Everything by which one proxy routes requests to any of `hosts`. */
  held(cluster: ClusterClient, pod: V1Pod, hosts: readonly string[]): Promise<HeldRoutes>;
  /** Those of the Envoys that do not serve a service's rules yet, as `of` names them. */
  behind(rules: RoutingRules, envoys: readonly EnvoyRouting[]): readonly string[];
  /**
   * The scope of a service in one cluster.
   *
   * @param others names of the other clusters
   * @param outside hosts of the ingress gateway that lead to the service
   * @param isShared whether some of their paths lead to others. @default false
   */
  scope(
    name: ServiceName,
    clusterDomain: string,
    others: readonly string[],
    outside: readonly string[],
    isShared?: boolean,
  ): RoutingScope;
  /** Reads what routes a service in one cluster: its objects, and what every Envoy holds. */
  readAll(cluster: ClusterClient, scope: RoutingScope): Promise<LiveRouting>;
  /**
   * Objects of others that route a service in one cluster already, as `Kind namespace/name`: also those that have the
   * names of this program's, and those whose wildcard covers the service. Paths of others on a host of the ingress
   * gateway are none.
   *
   * @param adopts whether those of others are none that \`adoptable\` gives. @default false
   */
  claims(cluster: ClusterClient, scope: RoutingScope, adopts?: boolean): Promise<readonly string[]>;
  /** What the services that this program releases, whichever stack they are of, have of hosts of the gateway. */
  hostShares(
    cluster: ClusterClient,
    hosts: readonly string[],
  ): Promise<readonly (HostShare & { readonly host: string })[]>;
  /**
   * Why a Gateway does not serve hosts of a service in one cluster, as the end of a sentence; undefined if it does.
   *
   * @param gateway as `namespace/name`
   * @param namespace the service's
   */
  gatewayObjection(
    cluster: ClusterClient,
    gateway: string,
    hosts: readonly string[],
    namespace: string,
  ): Promise<string | undefined>;
  /**
   * Those of the service's VirtualService and DestinationRule that others have made, and of the objects for hosts that
   * name a cluster, which were handed back.
   */
  adoptable(cluster: ClusterClient, plan: AdoptionPlan): Promise<readonly Adoptable[]>;
  /** What the service's routing objects say in the words of the configuration, whoever has made them. */
  said(cluster: ClusterClient, name: ServiceName): Promise<SaidRoute>;
  /** The objects in a namespace that this program has made to route requests. */
  made(cluster: ClusterClient, namespace: string): Promise<readonly MadeObject[]>;
  /** Makes an object that somebody has deleted. @param manager who has made it before */
  remake(cluster: ClusterClient, object: KubernetesObject, manager: string): Promise<void>;
  /**
   * The object with a service's weights, as the owner of what is to go with it.
   *
   * @throws if it is not there
   */
  owner(cluster: ClusterClient, name: ServiceName): Promise<V1OwnerReference>;
}
