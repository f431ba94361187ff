import type { DeployedRoute, DeployedSplit } from "../deployed.ts";
import type { ExistingWorkload } from "../existing.ts";
import type { PathMatch } from "../ingress-paths.ts";
import type { IpFamily, ServiceName } from "../names.ts";
import type { ServicePort } from "../ports.ts";
import type { ChainRole, Mark } from "../mark.ts";
import type { Split } from "../weights.ts";

/** A request that goes to the canary at any weight, even 0. What is named here must all hold. */
export interface RequestMatch {
  /** Header names in lower case and the exact value of each. */
  readonly header?: Readonly<Record<string, string>> | undefined;
  /** One cookie and its exact value. */
  readonly cookie?: Readonly<Record<string, string>> | undefined;
}

/** A service's place in a chain of services. */
export interface ChainPlace {
  readonly role: ChainRole;
  readonly mark: Mark;
}

/** How often a request that fails is sent again. */
export interface Retries {
  /** Tries after the first one. */
  readonly attempts: number;
  /** Time limit of one try, as a duration like `3s`. @default the route's timeout */
  readonly perTryTimeout?: string | undefined;
  /**
   * Envoy's conditions, joined by commas. @default "connect-failure,refused-stream,unavailable,cancelled", of which a
   * service with gRPC ports has the first two: it may have worked on a call that it answers with one of the others; with
   * a preference of clusters also "reset-before-request"
   */
  readonly on?: string | undefined;
}

/** What clients' proxies do on the way to pods: Istio's TrafficPolicy, without what the program owns of it. */
export type TrafficPolicy = Readonly<Record<string, unknown>>;

/** Which clusters' pods get the requests of a cluster's clients. */
export const CLUSTER_PREFERENCES = ["own-first", "spread"] as const;
export type ClusterPreference = (typeof CLUSTER_PREFERENCES)[number];

/** Policies of a service's destinations, the same in all clusters. */
export interface Policies {
  /**
   * Whether pods of the client's own cluster come first, or those of all clusters are alike. With either of them, what
   * does not answer is left out. @default all are alike, and nothing is left out
   */
  readonly preference?: ClusterPreference | undefined;
  /** Of all versions. @default Istio's */
  readonly all?: TrafficPolicy | undefined;
  /** Of single versions, by name: each key replaces that of `all` whole. @default none */
  readonly versions?: Readonly<Record<string, TrafficPolicy>> | undefined;
}

/** What is special about requests from outside; without any of it, they are routed as those inside the mesh. */
export interface IngressRouting {
  /** Gateways that serve the hosts, as `namespace/name`. @default the mesh's */
  readonly gateways?: readonly string[] | undefined;
  /** Paths of the hosts that lead to the service. @default all that are not others' */
  readonly paths?: readonly PathMatch[] | undefined;
  /** Paths of the hosts that lead to other services. @default none */
  readonly othersPaths?: readonly PathMatch[] | undefined;
  /** How path and host are changed: Istio's HTTPRewrite. @default they stay */
  readonly rewrite?: Readonly<Record<string, unknown>> | undefined;
  /** What happens to headers: Istio's Headers. @default nothing */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
}

/** What decides which version a request gets. */
export interface RuleArgs extends Split {
  readonly matches: readonly RequestMatch[];
  /** @default it is in no chain */
  readonly chain?: ChainPlace | undefined;
}

/** How a service is to be routed in one cluster. */
export interface RouteArgs extends ServiceName, RuleArgs {
  readonly clusterDomain: string;
  /** Time limit of a request with all its retries, as a duration like `10s`; `none` for no limit. */
  readonly timeout: string;
  readonly retries: Retries;
  /** Which web pages of other origins may call it: Istio's CorsPolicy. @default none */
  readonly corsPolicy?: Readonly<Record<string, unknown>> | undefined;
  /** Percent of the requests that are also sent to the canary, whose answers are thrown away. */
  readonly mirrorPercent: number;
  /** Hosts that name this service in one other cluster each. */
  readonly crossClusterHosts: readonly string[];
  /** The version that gets all requests to one of these hosts, whose cluster has no other. @default they are split like all others */
  readonly hostVersions?: Readonly<Record<string, string>> | undefined;
  /** Further versions that keep a subset: another cluster still sends requests to them. @default none */
  readonly kept?: readonly string[] | undefined;
  /** Hosts by which clients outside reach the service. */
  readonly ingressHosts: readonly string[];
  /** The Gateway that serves them, as `namespace/name`. */
  readonly ingressGateway: string;
  /** @default requests from outside are routed as those inside the mesh */
  readonly ingress?: IngressRouting | undefined;
  /** All services of the chain, as `namespace/name`. @default none */
  readonly members?: readonly string[] | undefined;
  /** Kubeconfig contexts of all clusters, by which `release zero` finds them. @default not recorded */
  readonly contexts?: readonly string[] | undefined;
  /** Value of the annotation REPLACES. @default none */
  readonly replaces?: string | undefined;
  /** How the pods are found, if others have made them; without a canary the rules then name no version. @default this program makes them */
  readonly existing?: ExistingWorkload | undefined;
  /** @default Istio's */
  readonly policies?: Policies | undefined;
  /** The Service's ports, the one first that gateways lead to. @default HTTP on port 80, or on that of `existing` */
  readonly ports?: readonly ServicePort[] | undefined;
}

/** How a service in one other cluster is to be reached, by a host that names the cluster. */
export interface CrossClusterArgs extends ServiceName {
  /** Cluster that the host names. */
  readonly cluster: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  /** The host's address inside the mesh, at which sidecars catch its traffic. */
  readonly virtualAddress: string;
  /** Families of the addresses at which it is caught. @default IPv4 */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** Versions that can be told apart there. */
  readonly versions: readonly string[];
  /** How the pods are found, if others have made them. @default this program makes them */
  readonly existing?: ExistingWorkload | undefined;
  /** @default Istio's */
  readonly policies?: Policies | undefined;
  /** The Service's ports, the one first that gateways lead to. @default HTTP on port 80, or on that of `existing` */
  readonly ports?: readonly ServicePort[] | undefined;
}

/** An object as it is given to an API server. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: object;
}

/** The rules of a route as its objects have them. Only the routing module looks into them. */
export type RoutingRules = readonly unknown[];

/** The objects of a service's route in one cluster. */
export interface RouteObjects {
  /** Tells the versions apart. It must be in place in all clusters before any weight. */
  readonly versions: Manifest;
  /** The rules with the weights. */
  readonly weights: Manifest;
  /** The rules in `weights`. */
  readonly rules: RoutingRules;
}

/** The objects of a host that means a service in one other cluster. */
interface CrossClusterObjects {
  /** Names of the host's ports. */
  readonly ports: readonly string[];
  /** The host, but for the endpoints in its spec: those come from a resource. */
  readonly host: Manifest;
  /** Tells the versions apart at that host. */
  readonly versions: Manifest;
}

/** What an object with weights says, be it registered, in Pulumi's state or in a cluster. */
export interface RouteContent {
  /** @default it has no rules, or they are not known yet */
  readonly split: DeployedSplit | undefined;
  /** What the service is in a chain. @default it is in none */
  readonly role: ChainRole | undefined;
  /** Of an entry: how it marks, in words. @default it is none */
  readonly mark: string | undefined;
  /** Value of the annotation REPLACES. @default it has none */
  readonly replaces: string | undefined;
}

/**
 * A service that is to be read, and the versions that whoever asks knows: objects may have other names for them, and
 * rules that were written ahead of Pulumi name a version that no label tells yet.
 */
export interface AskedService extends ServiceName {
  readonly stable?: string | undefined;
  readonly canary?: string | undefined;
}

/** A route as its API server has it. */
export interface FoundRoute extends ServiceName {
  /** Names under which clients know the service. */
  readonly hosts: readonly string[];
  /** Kubeconfig contexts of the clusters that are released together; none where nobody has recorded them. */
  readonly contexts: readonly string[];
  readonly route: Omit<DeployedRoute, "images">;
}

/** What an API server asks of a change, in CEL (Kubernetes: ValidatingAdmissionPolicy). */
export interface AdmissionRules {
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly {
    readonly expression: string;
    /** What must hold, as whoever is refused reads it. */
    readonly message: string;
  }[];
}

/** How the weights become series: what kube-state-metrics reads, and may read. */
interface WeightMetrics {
  /** Its custom resource state configuration. */
  readonly configuration: object;
  /** API group and resource of the objects with weights. */
  readonly apiGroup: string;
  readonly resource: string;
}

/**
 * How requests are routed to versions by weight: all that needs no cluster. What does is ClusterRouting. Nobody else
 * knows which kinds of objects there are, what their specs look like, or how Envoys name a version.
 */
export interface Routing {
  /** Makes the objects by which one cluster's clients reach a service. */
  objects(args: RouteArgs): RouteObjects;
  /** Makes the objects of a host that means a service in one other cluster. */
  crossClusterObjects(args: CrossClusterArgs): CrossClusterObjects;
  /** Whether Pulumi's type of a resource is that of the object with the weights. */
  isWeights(type: string): boolean;
  /**
   * Reads an object with weights, of which parts may be missing.
   *
   * @throws if its rules are none that this kind of routing knows
   */
  read(object: { readonly metadata?: unknown; readonly spec?: unknown }): RouteContent;
  /** The rules with the canary's share lowered to `weight` percent where it is higher; all else stays as it is. */
  lowered(rules: RoutingRules, canary: string, weight: number): RoutingRules;
  /**
   * Every version that the rules name, at whatever weight.
   *
   * @param known versions that are told as they are written; of others the rules may have another name
   */
  versionsIn(rules: RoutingRules, known?: readonly string[]): readonly string[];
  /** The rules without a version: its share goes to the other one, and requests that ask for it are like all others. */
  without(rules: RoutingRules, version: string): RoutingRules;
  /**
   * Envoy's name for the endpoints of a version of a host, in a sidecar or an ingress gateway.
   *
   * @param port of the Service. @default 80
   */
  envoyCluster(host: string, version: string, port?: number): string;
  /** The same in an east-west gateway. */
  passthroughCluster(host: string, version: string, port?: number): string;
  /**
   * Percent that a version has in what an Envoy serves.
   *
   * @param weights as EnvoyRoutes have them
   */
  shareIn(weights: Readonly<Record<string, number>>, version: string): number;
  readonly metrics: WeightMetrics;
  /** Lets an update of an object with weights pass only if it lowers the canary's weight and changes nothing else. */
  readonly lowerOnly: AdmissionRules;
}
