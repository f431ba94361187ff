import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ExistingWorkload } from "../lib/existing.ts";
import { serviceHost } from "../lib/names.ts";
import type { ServicePort } from "../lib/ports.ts";
import { routing } from "../lib/routing/index.ts";
import type {
  ChainPlace,
  IngressRouting,
  Policies,
  RequestMatch,
  Retries,
  RouteObjects,
} from "../lib/routing/routing.ts";
import { isWeight, sharesByVersion } from "../lib/weights.ts";
import { childOptions } from "./child-options.ts";
import { remadeOptions, withReplaces, type RemadeObject } from "./remade-object.ts";
import { throwProblems } from "./throw-problems.ts";

/** How requests to a service are routed in one cluster. */
export interface CanaryRouting {
  readonly service: string;
  readonly namespace: string;
  /** Version that gets what the canary does not. */
  readonly stable: string;
  /** Version on trial. @default none */
  readonly canary?: string | undefined;
  /** Percent of requests for the canary, a whole number from 0 to 100. In force within a second. */
  readonly weight: number;
  /** Requests that reach the canary at any weight, even 0. @default none */
  readonly matches?: readonly RequestMatch[] | undefined;
  /**
   * The service's place in a chain. An entry's weight decides for the whole chain, and what it sends to
   * the canary is marked; a follower has no weight, it follows the mark. @default it is in no chain
   */
  readonly chain?: (ChainPlace & { readonly members: readonly string[] }) | undefined;
  /** Time limit of a request with all its retries; `none` for no limit, as streams need it. @default "10s" */
  readonly timeout?: string | undefined;
  /** @default 2 more attempts when the request has not reached the service */
  readonly retries?: Retries | undefined;
  /** Which web pages of other origins may call it, in the words of Istio's CorsPolicy. @default none */
  readonly corsPolicy?: Readonly<Record<string, unknown>> | undefined;
  /** Percent of requests also sent to the canary, whose answers are thrown away. @default 0 */
  readonly mirrorPercent?: number | undefined;
  /** Hosts that name the service in one other cluster each, split by the same weights. @default none */
  readonly crossClusterHosts?: readonly string[] | undefined;
  /** The version that gets all requests to one of these hosts, whose cluster has no other. @default they are split like all others */
  readonly hostVersions?: Readonly<Record<string, string>> | undefined;
  /** Further versions that keep a subset: another cluster still sends requests to them. @default none */
  readonly kept?: readonly string[] | undefined;
  /**
   * Gateway (`namespace/name`) and hosts for clients outside the mesh, and what else is to be done with their requests.
   * @default none
   */
  readonly ingress?:
    ({ readonly gateway: string; readonly hosts: readonly string[] } & IngressRouting) | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /**
   * What the VirtualService's annotation `istio-canary/replaces` says. Another text makes Pulumi write
   * the VirtualService, for instance because the cluster does not have what its state says. @default none
   */
  readonly replaces?: string | undefined;
  /**
   * Kubeconfig contexts of all clusters that are released together. They are recorded on the VirtualService,
   * where `release zero` finds them. @default not recorded
   */
  readonly contexts?: readonly string[] | undefined;
  /**
   * How the pods are found, if others have made them. Without a canary the rules then name no version, and mutual TLS
   * is left to Istio. @default the pods are those of a CanaryWorkload
   */
  readonly existing?: ExistingWorkload | undefined;
  /** Load balancing, limits and outlier detection of the destinations, in Istio's words. @default Istio's */
  readonly policies?: Policies | undefined;
  /** The Service's ports, the one first that gateways lead to. @default HTTP on port 80, or on that of `existing` */
  readonly ports?: readonly ServicePort[] | undefined;
}

/** The objects of a route, and what follows from them. */
export interface CanaryRouteObjects extends RouteObjects {
  /** The service's host inside the mesh. */
  readonly host: string;
  /** Percent of requests by version. */
  readonly shares: Readonly<Record<string, number>>;
}

/** What is registered, and when. Objects that were made before are taken as they are. */
export type CanaryRouteArgs = (CanaryRouting | { readonly objects: CanaryRouteObjects }) & {
  /**
   * What else must be in place before the weight changes: the rules of all other clusters, whose
   * gateways only know the subsets of their own rule. @default nothing
   */
  readonly weightsAfter?: Promise<readonly pulumi.Resource[]> | undefined;
  /** How the DestinationRule is registered. @default as it is */
  readonly rule?: RemadeObject | undefined;
  /** Properties of the VirtualService whose changes do not count. @default all do */
  readonly ignoreChanges?: readonly string[] | undefined;
  /** The VirtualService of others that Pulumi takes over, as `namespace/name`. @default it makes one */
  readonly import?: string | undefined;
  /** What runs before and after Pulumi's update of the VirtualService. @default nothing */
  readonly hooks?: pulumi.ResourceHookBinding | undefined;
};

/**
 * The objects that a CanaryRoute registers.
 *
 * @throws RunError with everything that is wrong with the arguments
 */
export function canaryRouteObjects(args: CanaryRouting): CanaryRouteObjects {
  const { service, namespace, clusterDomain = "cluster.local" } = args;
  throwProblems(`Invalid arguments for the route of ${namespace}/${service}:`, problems(args));
  return {
    ...routing.objects({
      ...args,
      clusterDomain,
      matches: args.matches ?? [],
      timeout: args.timeout ?? "10s",
      retries: args.retries ?? { attempts: 2 },
      mirrorPercent: args.mirrorPercent ?? 0,
      crossClusterHosts: args.crossClusterHosts ?? [],
      ingressHosts: args.ingress?.hosts ?? [],
      ingressGateway: args.ingress?.gateway ?? "",
      members: args.chain?.members,
    }),
    host: serviceHost({ service, namespace }, clusterDomain),
    shares: sharesByVersion(args),
  };
}

/**
 * How one cluster's clients reach a service: its DestinationRule with a subset for each version, and
 * its one VirtualService with the weights. Options' `dependsOn` should name the Deployments of the
 * versions in every cluster.
 */
export class CanaryRoute extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:CanaryRoute";
  readonly host: string;
  /** Tells the versions apart. */
  readonly versions: k8s.apiextensions.CustomResource;
  readonly weights: k8s.apiextensions.CustomResource;
  /** Percent of requests by version. */
  readonly shares: Readonly<Record<string, number>>;

  constructor(name: string, args: CanaryRouteArgs, opts?: pulumi.ComponentResourceOptions) {
    super(CanaryRoute.type, name, {}, opts);
    const objects = "objects" in args ? args.objects : canaryRouteObjects(args);

    this.versions = new k8s.apiextensions.CustomResource(
      `${name}-rule`,
      { ...withReplaces(objects.versions, args.rule ?? {}) },
      { ...childOptions(this, opts), ...remadeOptions(args.rule ?? {}) },
    );
    const rules: Promise<pulumi.Resource[]> = Promise.resolve(args.weightsAfter ?? []).then(
      (others) => [this.versions, ...others],
    );
    this.weights = new k8s.apiextensions.CustomResource(
      `${name}-weights`,
      { ...objects.weights },
      {
        parent: this,
        dependsOn: rules,
        // By default a replacement (--replace) makes the new one first; both have one name, so that the
        // end of the old one would be the end of both.
        deleteBeforeReplace: true,
        ...remadeOptions(args),
      },
    );
    this.host = objects.host;
    this.shares = objects.shares;
    this.registerOutputs({ host: this.host, shares: this.shares });
  }
}

function problems({ weight, stable, canary }: CanaryRouting) {
  return [
    ...(isWeight(weight)
      ? []
      : [
          {
            path: "weight",
            value: weight,
            rule: "must be a whole number from 0 to 100",
            fix: "Give the percent of requests that the canary gets.",
          },
        ]),
    ...(stable === canary
      ? [
          {
            path: "canary",
            value: canary,
            rule: "must be another version than stable",
            fix: "Leave canary out while there is one version.",
          },
        ]
      : []),
  ];
}
