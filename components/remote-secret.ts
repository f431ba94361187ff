import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readerKubeconfig, readerOf, type ApiServer } from "../lib/reader-kubeconfig.ts";
import { REMOTE_SECRET_LABEL, remoteSecretName, SYSTEM_NAMESPACE } from "../lib/names.ts";
import { DEFAULT_REVISION, suffixOf } from "../lib/revisions.ts";
import { accountToken } from "./account-token.ts";
import { childOptions } from "./child-options.ts";

export interface RemoteSecretArgs {
  /** Cluster that is read. */
  readonly source: string;
  /** Provider of that cluster; the component's own provider is the reading cluster's. */
  readonly sourceProvider: pulumi.ProviderResource;
  /** Cluster whose istiod reads. */
  readonly reader: string;
  /** The read cluster's API server, as the reading cluster reaches it. */
  readonly apiServer: ApiServer;
  /** Whether istiod uses it. @default true */
  readonly isUsed?: boolean | undefined;
  /** Any DNS label: another one gives the reader another token, and ends this one. @default a token without one */
  readonly rotation?: string | undefined;
  /** Control planes of the cluster that is read. @default the one without a revision */
  readonly revisions?: readonly string[] | undefined;
}

/** The ClusterRole that the chart `istiod` makes for readers from other clusters, and removes with its control plane. */
function readerRole(revision: string): string {
  return `istio-reader-clusterrole${suffixOf(revision)}-${SYSTEM_NAMESPACE}`;
}

/**
 * Lets istiod of one cluster find the endpoints of another one: a ServiceAccount for this reader
 * alone in the cluster that is read, and its token as an `istio/multiCluster` Secret in the reading
 * cluster. Depends on istiod of both.
 */
export class RemoteSecret extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:RemoteSecret";
  /** Name of the Secret in the reading cluster. */
  readonly secretName: pulumi.Output<string>;
  /** Whether istiod uses it. Of one that an update leaves out, what the state says. */
  readonly isUsed: pulumi.Output<boolean>;

  constructor(name: string, args: RemoteSecretArgs, opts?: pulumi.ComponentResourceOptions) {
    super(RemoteSecret.type, name, {}, opts);
    const { source, reader, apiServer } = args;
    const account = `istio-reader-${reader}`;
    const inSource = (...after: pulumi.Resource[]): pulumi.CustomResourceOptions =>
      pulumi.mergeOptions(childOptions(this, opts, after), { provider: args.sourceProvider });

    const serviceAccount = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata: { name: account, namespace: SYSTEM_NAMESPACE } },
      inSource(),
    );
    const bindings = (args.revisions ?? [DEFAULT_REVISION]).map(
      (revision) =>
        new k8s.rbac.v1.ClusterRoleBinding(
          `${name}-binding${suffixOf(revision)}`,
          {
            metadata: { name: `${account}${suffixOf(revision)}` },
            roleRef: {
              apiGroup: "rbac.authorization.k8s.io",
              kind: "ClusterRole",
              name: readerRole(revision),
            },
            subjects: [{ kind: "ServiceAccount", name: account, namespace: SYSTEM_NAMESPACE }],
          },
          inSource(serviceAccount),
        ),
    );
    const kubeconfig = accountToken(
      `${name}-token`,
      { cluster: source, account, namespace: SYSTEM_NAMESPACE, rotation: args.rotation },
      inSource(serviceAccount),
    ).apply((credentials) => readerKubeconfig(readerOf(source, apiServer, credentials)));
    const secret = new k8s.core.v1.Secret(
      `${name}-kubeconfig`,
      {
        metadata: {
          name: remoteSecretName(source),
          namespace: SYSTEM_NAMESPACE,
          labels: { [REMOTE_SECRET_LABEL]: String(args.isUsed ?? true) },
          annotations: { "networking.istio.io/cluster": source },
        },
        stringData: { [source]: kubeconfig },
      },
      childOptions(this, opts, bindings),
    );

    this.secretName = secret.metadata.name;
    this.isUsed = secret.metadata.labels.apply((labels) => labels[REMOTE_SECRET_LABEL] === "true");
    this.registerOutputs({ secretName: this.secretName });
  }
}
