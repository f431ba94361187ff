import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  GATEWAY_REPLICAS,
  gatewayLabels,
  ingressValues,
  mergeValues,
  type ChartSource,
  type HelmValues,
  type IngressPorts,
} from "../lib/helm-values.ts";
import { INGRESS_GATEWAY, INGRESS_GATEWAY_OBJECT, INGRESS_NAMESPACE } from "../lib/names.ts";
import { podSecurityLabels, type PodSecurity } from "../lib/manifests/pod-security.ts";
import { DEFAULT_REVISION, injectionLabel } from "../lib/revisions.ts";
import { childOptions } from "./child-options.ts";
import { gatewayRelease } from "./gateway-release.ts";

export interface IngressTls {
  /** Secret of type kubernetes.io/tls in the gateway's namespace. */
  readonly credentialName: string;
  /** PEM certificate, with the chain, and key; the component makes the Secret from them. @default the Secret exists */
  readonly pair?:
    { readonly certificate: pulumi.Input<string>; readonly key: pulumi.Input<string> } | undefined;
  /** Whether plain HTTP is redirected to HTTPS. @default false */
  readonly httpsRedirect?: boolean | undefined;
}

export interface IngressGatewayArgs {
  /** Istio's version, the same as istiod's. */
  readonly version: string;
  /** Istio's revision that injects its pods; another one rolls them. @default the one without a name */
  readonly revision?: string | undefined;
  /** The revision or tag that its namespace is labelled with. @default default */
  readonly label?: string | undefined;
  /** Hosts for which the gateway takes requests. */
  readonly hosts: readonly string[];
  /** HTTPS, in addition to HTTP. @default HTTP only */
  readonly tls?: IngressTls | undefined;
  /** Where clients reach it. @default ports 80 and 443 */
  readonly ports?: IngressPorts | undefined;
  /** @default Istio's official repository */
  readonly charts?: ChartSource | undefined;
  /** Pods of the gateway. @default 2 */
  readonly replicas?: number | undefined;
  /** Pod Security Standard that its namespace enforces, and its pods comply with. @default none */
  readonly podSecurity?: PodSecurity | undefined;
  /** Values of the chart `gateway`, merged over the component's own. @default none */
  readonly values?: HelmValues | undefined;
}

/**
 * The way in for clients outside the mesh. A service's VirtualService binds to it, so these requests
 * are split by the same weights as those inside. Depends on istiod.
 */
export class IngressGateway extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:IngressGateway";
  /** Where clients reach the gateway: IP addresses, or host names on some clouds. */
  readonly addresses: pulumi.Output<string[]>;
  /** The Gateway for VirtualServices, as `namespace/name`. */
  readonly gateway: string;
  /** The gateway's pods running. */
  readonly release: k8s.helm.v3.Release;

  constructor(name: string, args: IngressGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super(IngressGateway.type, name, {}, opts);
    const { tls, ports } = args;
    const hosts = [...args.hosts];
    const namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      {
        metadata: {
          name: INGRESS_NAMESPACE,
          labels: {
            ...injectionLabel(args.label ?? DEFAULT_REVISION),
            ...podSecurityLabels(args.podSecurity),
          },
        },
      },
      childOptions(this, opts),
    );

    const { release, addresses } = gatewayRelease(
      name,
      {
        release: INGRESS_GATEWAY,
        namespace: INGRESS_NAMESPACE,
        version: args.version,
        revision: args.revision,
        charts: args.charts ?? {},
        replicas: args.replicas ?? GATEWAY_REPLICAS,
        restricted: args.podSecurity === "restricted",
        values: mergeValues(ingressValues(args.ports), args.values ?? {}),
      },
      childOptions(this, opts, [namespace]),
    );

    if (tls?.pair) {
      new k8s.core.v1.Secret(
        `${name}-tls`,
        {
          metadata: { name: tls.credentialName, namespace: INGRESS_NAMESPACE },
          type: "kubernetes.io/tls",
          stringData: {
            "tls.crt": tls.pair.certificate,
            "tls.key": pulumi.secret(tls.pair.key),
          },
        },
        childOptions(this, opts, [namespace]),
      );
    }

    new k8s.apiextensions.CustomResource(
      `${name}-gateway`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "Gateway",
        metadata: { name: INGRESS_GATEWAY, namespace: INGRESS_NAMESPACE },
        spec: {
          selector: gatewayLabels(INGRESS_GATEWAY),
          servers: [
            {
              port: { number: ports?.http ?? 80, name: "http", protocol: "HTTP" },
              hosts,
              ...(tls?.httpsRedirect === true && { tls: { httpsRedirect: true } }),
            },
            ...(tls
              ? [
                  {
                    port: { number: ports?.https ?? 443, name: "https", protocol: "HTTPS" },
                    tls: { mode: "SIMPLE", credentialName: tls.credentialName },
                    hosts,
                  },
                ]
              : []),
          ],
        },
      },
      childOptions(this, opts, [namespace]),
    );

    this.gateway = INGRESS_GATEWAY_OBJECT;
    this.release = release;
    this.addresses = addresses;
    this.registerOutputs({ addresses, gateway: this.gateway });
  }
}
