import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  GATEWAY_REPLICAS,
  gatewayLabels,
  type ChartSource,
  type HelmValues,
} from "../lib/helm-values.ts";
import {
  CROSS_NETWORK_GATEWAY,
  EAST_WEST_GATEWAY,
  EAST_WEST_PORT,
  SYSTEM_NAMESPACE,
} from "../lib/names.ts";
import { childOptions } from "./child-options.ts";
import { gatewayRelease } from "./gateway-release.ts";

export interface EastWestGatewayArgs {
  /** Network whose services the gateway lets in. Changing it restarts the gateway. */
  readonly network: string;
  /** Istio's version, the same as istiod's. */
  readonly version: string;
  /** Istio's revision that injects its pods; another one rolls them. @default the one without a name */
  readonly revision?: string | undefined;
  /** @default Istio's official repository */
  readonly charts?: ChartSource | undefined;
  /** Pods of the gateway. @default 2 */
  readonly replicas?: number | undefined;
  /** Domain of Kubernetes Services; only their hosts are let in. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /** IP addresses by which other clusters reach the gateway. @default those of its load balancer */
  readonly addresses?: readonly string[] | undefined;
  /** Port of its Service by which they do. @default 15443 */
  readonly port?: number | undefined;
  /** Whether it opens that port and 15021 only, and reads no Secret of its namespace. @default false: as Istio's chart */
  readonly onlyNeeded?: boolean | undefined;
  /** Values of the chart `gateway`, merged over the component's own. @default none */
  readonly values?: HelmValues | undefined;
}

/**
 * The way in for other clusters: passes mTLS traffic of the mesh, on port 15443 of its pods, to the service and
 * subset its server name (SNI) asks for, without ending the encryption. Depends on istiod.
 */
export class EastWestGateway extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:EastWestGateway";
  /** Where other clusters reach the gateway. */
  readonly addresses: pulumi.Output<string[]>;
  /** The gateway's pods running. */
  readonly release: k8s.helm.v3.Release;

  constructor(name: string, args: EastWestGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super(EastWestGateway.type, name, {}, opts);
    const { release, addresses } = gatewayRelease(
      name,
      {
        release: EAST_WEST_GATEWAY,
        namespace: SYSTEM_NAMESPACE,
        version: args.version,
        revision: args.revision,
        charts: args.charts ?? {},
        replicas: args.replicas ?? GATEWAY_REPLICAS,
        network: args.network,
        port: args.port,
        onlyNeeded: args.onlyNeeded,
        values: args.values ?? {},
      },
      childOptions(this, opts),
    );

    new k8s.apiextensions.CustomResource(
      `${name}-gateway`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "Gateway",
        metadata: { name: CROSS_NETWORK_GATEWAY, namespace: SYSTEM_NAMESPACE },
        spec: {
          selector: gatewayLabels(EAST_WEST_GATEWAY),
          servers: [
            {
              // Istio takes a number that the Service does not have for the pods'.
              port: { number: EAST_WEST_PORT, name: "tls", protocol: "TLS" },
              tls: { mode: "AUTO_PASSTHROUGH" },
              hosts: [`*.${args.clusterDomain ?? "cluster.local"}`],
            },
          ],
        },
      },
      childOptions(this, opts),
    );

    this.release = release;
    this.addresses = args.addresses ? pulumi.output([...args.addresses]) : addresses;
    this.registerOutputs({ addresses: this.addresses });
  }
}
