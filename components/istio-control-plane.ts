import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  baseValues,
  istiodValues,
  mergeValues,
  type ChartSource,
  type HelmValues,
  type Tracing,
} from "../lib/helm-values.ts";
import { SYSTEM_NAMESPACE, type IpFamily } from "../lib/names.ts";
import { chartOf } from "./chart.ts";
import { childOptions } from "./child-options.ts";
import type { CertificateAuthority } from "./mesh-certificates.ts";

export interface IstioControlPlaneArgs {
  /** Name of the cluster in the mesh. Workloads carry it; changing it restarts all of them. */
  readonly cluster: string;
  /** Network of the cluster. Other networks reach it through gateways. */
  readonly network: string;
  /** Id of the mesh, the same in all clusters. */
  readonly meshId: string;
  /** Istio's version, the same in all clusters: of the charts and of the images. */
  readonly version: string;
  /** Domain of all workload identities. Changing it breaks mTLS until all workloads have restarted. @default "cluster.local" */
  readonly trustDomain?: string | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /** Families of the pods' IP addresses. @default the cluster's first */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** @default Istio's official repository */
  readonly charts?: ChartSource | undefined;
  /** Image hub of istiod and the proxies. @default the chart's */
  readonly hub?: string | undefined;
  /** Where proxies may send spans; MeshTracing sets which ones they send. @default nowhere */
  readonly tracing?: Tracing | undefined;
  /** The cluster's certificate authority; istiod signs workload certificates with it. */
  readonly authority: CertificateAuthority;
  /**
   * Istio's agent on each node, which leads the traffic of pods to their sidecars: installed here, or by others. @default an
   * init container of each pod
   */
  readonly cni?: "installed" | "existing" | undefined;
  /** Whether sidecars comply with the Pod Security Standard `restricted`. @default false */
  readonly restricted?: boolean | undefined;
  /** Values of the charts, merged over the component's own. @default none */
  readonly values?:
    | {
        readonly base?: HelmValues;
        readonly cni?: HelmValues | undefined;
        readonly istiod?: HelmValues;
      }
    | undefined;
}

/** Istio's control plane in one primary cluster of a mesh, by the official Helm charts. */
export class IstioControlPlane extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:IstioControlPlane";
  /** Namespace of istiod, which also names the cluster's network. */
  readonly namespace: k8s.core.v1.Namespace;
  /** istiod serving; what needs injection or Istio's webhooks depends on it. */
  readonly istiod: k8s.helm.v3.Release;
  /** Version of Istio. */
  readonly version: pulumi.Output<string>;

  constructor(name: string, args: IstioControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super(IstioControlPlane.type, name, {}, opts);
    const { version, charts = {}, values, authority } = args;

    this.namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      {
        metadata: {
          name: SYSTEM_NAMESPACE,
          labels: { "topology.istio.io/network": args.network },
        },
      },
      childOptions(this, opts),
    );

    const certificates = new k8s.core.v1.Secret(
      `${name}-cacerts`,
      {
        metadata: { name: "cacerts", namespace: SYSTEM_NAMESPACE },
        stringData: {
          "ca-cert.pem": authority.certificate,
          "ca-key.pem": pulumi.secret(authority.privateKey),
          "root-cert.pem": authority.root,
          "cert-chain.pem": authority.chain,
        },
      },
      childOptions(this, opts, [this.namespace]),
    );

    const base = new k8s.helm.v3.Release(
      `${name}-base`,
      {
        name: "istio-base",
        namespace: SYSTEM_NAMESPACE,
        ...chartOf(charts, "base", version),
        values: mergeValues(baseValues(), values?.base ?? {}),
      },
      childOptions(this, opts, [this.namespace]),
    );

    const cni =
      args.cni === "installed"
        ? [
            new k8s.helm.v3.Release(
              `${name}-cni`,
              {
                name: "istio-cni",
                // Where GKE and OpenShift let pods run that a node cannot do without.
                namespace: "kube-system",
                ...chartOf(charts, "cni", version),
                values: values?.cni ?? {},
              },
              childOptions(this, opts),
            ),
          ]
        : [];

    this.istiod = new k8s.helm.v3.Release(
      `${name}-istiod`,
      {
        name: "istiod",
        namespace: SYSTEM_NAMESPACE,
        ...chartOf(charts, "istiod", version),
        values: mergeValues(
          istiodValues({
            ...args,
            cni: args.cni !== undefined,
            trustDomain: args.trustDomain ?? "cluster.local",
            clusterDomain: args.clusterDomain ?? "cluster.local",
          }),
          values?.istiod ?? {},
        ),
      },
      // Without cacerts istiod would begin with a root of its own; and pods that follow need the agent.
      childOptions(this, opts, [base, certificates, ...cni]),
    );

    this.version = this.istiod.id.apply(() => version);
    this.registerOutputs({ version: this.version });
  }
}
