import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ExistingWorkload } from "../lib/existing.ts";
import { crossClusterHost, EAST_WEST_PORT, type IpFamily } from "../lib/names.ts";
import type { ServicePort } from "../lib/ports.ts";
import { routing } from "../lib/routing/index.ts";
import type { Policies } from "../lib/routing/routing.ts";
import { childOptions } from "./child-options.ts";
import { gatewayEndpoints, NO_ENDPOINTS } from "./gateway-endpoints.ts";
import { remadeOptions, withReplaces, type RemadeObject } from "./remade-object.ts";

export interface CrossClusterServiceEntryArgs {
  readonly service: string;
  readonly namespace: string;
  /** The other cluster, which the host names. */
  readonly cluster: string;
  /** IP addresses of that cluster's east-west gateway, or host names, which the proxies resolve. */
  readonly gatewayAddresses: pulumi.Input<readonly string[]>;
  /** Whether requests to the host lead nowhere, and get 503 at once. @default false */
  readonly isDrained?: boolean | undefined;
  /** Port at which it is reached there. @default 15443 */
  readonly gatewayPort?: number | undefined;
  /** The host's address inside the mesh, unique in it; `virtualAddresses` gives one. */
  readonly virtualAddress: string;
  /** Families of its addresses inside the mesh; the IPv6 one follows from the other. @default IPv4 */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** Versions of the service that have a subset there. */
  readonly versions: readonly string[];
  /** Domain of workload identities. @default "cluster.local" */
  readonly trustDomain?: string | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /** How the pods are found, if others have made them. @default the pods are those of a CanaryWorkload */
  readonly existing?: ExistingWorkload | undefined;
  /** How the ServiceEntry is registered. @default as it is */
  readonly entry?: RemadeObject | undefined;
  /** How the DestinationRule is registered. @default as it is */
  readonly rule?: RemadeObject | undefined;
  /** Load balancing, limits and outlier detection of the destinations, in Istio's words. @default Istio's */
  readonly policies?: Policies | undefined;
  /** The Service's ports, the one first that gateways lead to. @default HTTP on port 80, or on that of `existing` */
  readonly ports?: readonly ServicePort[] | undefined;
}

/**
 * A host that means a service in one other cluster, such as `user-service.user.cluster-b.mesh`:
 * through that cluster's gateway, by mutual TLS. It needs no remote secret.
 */
export class CrossClusterServiceEntry extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:CrossClusterServiceEntry";
  readonly host: string;
  /** Tells the versions apart at that host; what routes to them depends on it. */
  readonly versions: k8s.apiextensions.CustomResource;

  constructor(
    name: string,
    args: CrossClusterServiceEntryArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(CrossClusterServiceEntry.type, name, {}, opts);
    const { cluster, gatewayAddresses, gatewayPort = EAST_WEST_PORT } = args;
    const { entry = {}, rule = {} } = args;
    const { host, ports, versions } = routing.crossClusterObjects({
      ...args,
      trustDomain: args.trustDomain ?? "cluster.local",
      clusterDomain: args.clusterDomain ?? "cluster.local",
    });
    const reached = args.isDrained
      ? pulumi.output(NO_ENDPOINTS)
      : pulumi
          .output(gatewayAddresses)
          .apply((addresses) => gatewayEndpoints(cluster, addresses, ports, gatewayPort));
    const { resolution, endpoints } = reached;
    const service = new k8s.apiextensions.CustomResource(
      `${name}-entry`,
      { ...withReplaces(host, entry), spec: { ...host.spec, resolution, endpoints } },
      { ...childOptions(this, opts), ...remadeOptions(entry) },
    );
    this.versions = new k8s.apiextensions.CustomResource(
      `${name}-rule`,
      { ...withReplaces(versions, rule) },
      { ...childOptions(this, opts, [service]), ...remadeOptions(rule) },
    );
    this.host = crossClusterHost(args, cluster);
    this.registerOutputs({ host: this.host });
  }
}
