import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  baseValues,
  cniValues,
  istiodValues,
  mergeValues,
  type ChartSource,
  type HelmValues,
  type Tracing,
} from "../lib/helm-values.ts";
import { CNI_NAMESPACE, CNI_RELEASE, SYSTEM_NAMESPACE, type IpFamily } from "../lib/names.ts";
import { revisionTag } from "../lib/manifests/revision-tag.ts";
import {
  DEFAULT_REVISION,
  newestOf,
  revisionOf,
  suffixOf,
  type Revision,
  type Tags,
} from "../lib/revisions.ts";
import { chartOf } from "./chart.ts";
import { childOptions } from "./child-options.ts";
import type { CertificateAuthority } from "./mesh-certificates.ts";

/** One of several control planes of a cluster. */
export interface RevisionArgs extends Revision {
  /** What it waits for, such as the same revision of another cluster. @default nothing */
  readonly after?: readonly pulumi.Resource[] | undefined;
}

export interface IstioControlPlaneArgs {
  /** Name of the cluster in the mesh. Workloads carry it; changing it restarts all of them. */
  readonly cluster: string;
  /** Network of the cluster. Other networks reach it through gateways. */
  readonly network: string;
  /** Id of the mesh, the same in all clusters. */
  readonly meshId: string;
  /** Istio's version, of the charts and of the images. */
  readonly version: string;
  /** The control planes, each with its version. @default the one without a revision, of `version` */
  readonly revisions?: readonly RevisionArgs[] | undefined;
  /** Names for revisions: of each the revision that it stands for. `default` takes over what has none. @default none */
  readonly tags?: Tags | undefined;
  /** Domain of all workload identities. Changing it breaks mTLS until all workloads have restarted. @default "cluster.local" */
  readonly trustDomain?: string | undefined;
  /** Domain of Kubernetes Services. @default "cluster.local" */
  readonly clusterDomain?: string | undefined;
  /** Families of the pods' IP addresses. @default the cluster's first */
  readonly ipFamilies?: readonly IpFamily[] | undefined;
  /** @default Istio's official repository */
  readonly charts?: ChartSource | undefined;
  /** Image hub of istiod, the proxies and the agent on nodes. @default the charts' */
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

/** Istio's control planes in one primary cluster of a mesh, by the official Helm charts, and the tags that lead to them. */
export class IstioControlPlane extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:IstioControlPlane";
  /** Namespace of istiod, which also names the cluster's network. */
  readonly namespace: k8s.core.v1.Namespace;
  /** Each istiod serving, by its revision. */
  readonly istiods: ReadonlyMap<string, k8s.helm.v3.Release>;
  /** The istiod serving of what names no revision; what needs injection or Istio's webhooks depends on it. */
  readonly istiod: pulumi.Resource;
  /** The tags leading to their revisions, by name. */
  readonly tags: ReadonlyMap<string, pulumi.Resource>;
  /** Version of Istio, of what names no revision. */
  readonly version: pulumi.Output<string>;

  constructor(name: string, args: IstioControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super(IstioControlPlane.type, name, {}, opts);
    const { version, charts = {}, values, authority, tags = {} } = args;
    const revisions: readonly RevisionArgs[] = args.revisions ?? [
      { name: DEFAULT_REVISION, version },
    ];
    const injector = revisionOf(DEFAULT_REVISION, tags);
    // Definitions, and the agent on nodes, of a newer version serve an older control plane too.
    const newest = newestOf(revisions.map((each) => each.version)) ?? version;

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
        ...chartOf(charts, "base", newest),
        values: mergeValues(
          baseValues(injector === DEFAULT_REVISION ? undefined : injector),
          values?.base ?? {},
        ),
      },
      childOptions(this, opts, [this.namespace]),
    );

    const cni =
      args.cni === "installed"
        ? [
            new k8s.helm.v3.Release(
              `${name}-cni`,
              {
                name: CNI_RELEASE,
                namespace: CNI_NAMESPACE,
                ...chartOf(charts, "cni", newest),
                values: mergeValues(cniValues(args.hub), values?.cni ?? {}),
              },
              childOptions(this, opts),
            ),
          ]
        : [];

    const istiod = (revision: RevisionArgs, after: readonly pulumi.Resource[] = []) =>
      new k8s.helm.v3.Release(
        `${name}-istiod${suffixOf(revision.name)}`,
        {
          name: `istiod${suffixOf(revision.name)}`,
          namespace: SYSTEM_NAMESPACE,
          ...chartOf(charts, "istiod", revision.version),
          values: mergeValues(
            istiodValues({
              ...args,
              cni: args.cni !== undefined,
              version: revision.version,
              trustDomain: args.trustDomain ?? "cluster.local",
              clusterDomain: args.clusterDomain ?? "cluster.local",
              ...(revision.name === DEFAULT_REVISION
                ? { isReplaced: injector !== DEFAULT_REVISION }
                : { revision: revision.name }),
            }),
            values?.istiod ?? {},
          ),
        },
        // Without cacerts istiod would begin with a root of its own; and pods that follow need the agent.
        childOptions(this, opts, [
          ...[base, certificates, ...cni],
          ...(revision.after ?? []),
          ...after,
        ]),
      );
    const named = new Map(
      revisions
        .filter((each) => each.name !== DEFAULT_REVISION)
        .map((each) => [each.name, istiod(each)]),
    );
    this.tags = new Map(
      Object.entries(tags).map(([tag, revision]) => {
        const of = named.get(revision);
        if (!of) throw new Error(`tag ${tag} stands for ${revision}, which is not installed`);
        return [
          tag,
          new k8s.admissionregistration.v1.MutatingWebhookConfiguration(
            `${name}-tag-${tag}`,
            revisionTag(tag, revision),
            childOptions(this, opts, [of]),
          ),
        ];
      }),
    );
    const unnamed = revisions.find((each) => each.name === DEFAULT_REVISION);
    const taken = this.tags.get(DEFAULT_REVISION);
    this.istiods = new Map([
      ...named,
      // Its webhook goes only once the tag's is there, and comes back before that one goes.
      ...(unnamed ? [[unnamed.name, istiod(unnamed, taken ? [taken] : [])] as const] : []),
    ]);
    const first = this.istiods.get(injector);
    if (!first) throw new Error(`${args.cluster} has no control plane of revision ${injector}`);
    // Two webhooks would both inject a pod, and the last of them is the one that goes.
    this.istiod = (taken && this.istiods.get(DEFAULT_REVISION)) ?? taken ?? first;

    const its = revisions.find((each) => each.name === injector)?.version ?? version;
    this.version = first.id.apply(() => its);
    this.registerOutputs({ version: this.version });
  }
}
