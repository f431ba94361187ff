import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { crossClusterDestinationRule } from "../lib/routing/istio/destination-rule.ts";
import { serviceEntry } from "../lib/routing/istio/service-entry.ts";
import { crossClusterHost } from "../lib/names.ts";
import { childOptions } from "./child-options.ts";
import { gatewayEndpoints } from "./gateway-endpoints.ts";

export interface CrossClusterServiceEntryArgs {
  readonly service: string;
  readonly namespace: string;
  /** The other cluster, which the host names. */
  readonly cluster: string;
  /** IP addresses of that cluster's east-west gateway. */
  readonly gatewayAddresses: pulumi.Input<readonly string[]>;
  /** The host's address inside the mesh, unique in it; `virtualAddresses` gives one. */
  readonly virtualAddress: string;
  /** Versions of the service that have a subset there. */
  readonly versions: readonly string[];
  /** Domain of workload identities. @default "cluster.local" */
  readonly trustDomain?: string | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
}

/**
 * A host that means a service in one other cluster, such as `user-service.user.cluster-b.mesh`:
 * through that cluster's gateway, at fixed addresses, by mutual TLS. It needs no remote secret.
 */
export class CrossClusterServiceEntry extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:CrossClusterServiceEntry";
  readonly host: string;
  /** The host's subsets; what routes to them depends on it. */
  readonly destinationRule: k8s.apiextensions.CustomResource;

  constructor(
    name: string,
    args: CrossClusterServiceEntryArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(CrossClusterServiceEntry.type, name, {}, opts);
    const { cluster, gatewayAddresses } = args;
    const entry = serviceEntry(args);
    const endpoints = pulumi
      .output(gatewayAddresses)
      .apply((addresses) => gatewayEndpoints(cluster, addresses));
    const service = new k8s.apiextensions.CustomResource(
      `${name}-entry`,
      { ...entry, spec: { ...entry.spec, endpoints } },
      childOptions(this, opts),
    );
    this.destinationRule = new k8s.apiextensions.CustomResource(
      `${name}-rule`,
      crossClusterDestinationRule({
        ...args,
        trustDomain: args.trustDomain ?? "cluster.local",
        clusterDomain: args.clusterDomain ?? "cluster.local",
      }),
      childOptions(this, opts, [service]),
    );
    this.host = crossClusterHost(args, cluster);
    this.registerOutputs({ host: this.host });
  }
}
