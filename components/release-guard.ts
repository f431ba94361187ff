import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { JOURNAL } from "../lib/journal.ts";
import { guardAccount, guardPolicies } from "../lib/manifests/guard-policies.ts";
import { podSecurity } from "../lib/manifests/pod-security.ts";
import { serverLabels } from "../lib/monitoring/server-labels.ts";
import { RELEASE_GUARD, RELEASE_GUARD_PORT, type ServiceName } from "../lib/names.ts";
import { readerKubeconfig, readerOf, type ApiServer } from "../lib/reader-kubeconfig.ts";
import { routing } from "../lib/routing/index.ts";
import { accountToken } from "./account-token.ts";
import { childOptions } from "./child-options.ts";

/** A cluster that gets a guard. */
export interface GuardedCluster {
  readonly name: string;
  readonly provider: pulumi.ProviderResource;
  /** Its API server, as the other clusters reach it. */
  readonly apiServer: ApiServer;
  /** What its guard goes by. */
  readonly file: { readonly name: string; readonly text: string };
}

export interface ReleaseGuardArgs {
  readonly clusters: readonly GuardedCluster[];
  /** Namespace of the guards, which is created in every cluster. */
  readonly namespace: string;
  /** Image whose entrypoint is the command `release`. */
  readonly image: string;
  /** The services of the release, whose namespaces are there. */
  readonly services: readonly ServiceName[];
  /** Names of the clusters whose guards have rights in each cluster. @default those of `clusters` */
  readonly readers?: readonly string[] | undefined;
  /**
   * Those of them whose guards may do nothing in the other clusters for now. Their accounts stay: what is in their own
   * clusters depends on these. @default none
   */
  readonly suspended?: readonly string[] | undefined;
  /** Secret files beside the guards' kubeconfigs, by name. @default none */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** What all but the guards' namespaces and files waits for. It must not fail. @default nothing */
  readonly after?: Promise<unknown> | undefined;
}

/** What a cluster has for all guards. */
interface Home {
  readonly cluster: string;
  readonly file: k8s.core.v1.ConfigMap;
  readonly accounts: readonly k8s.core.v1.ServiceAccount[];
  /** Options for what else it gets. */
  options(...needs: readonly pulumi.Resource[]): pulumi.CustomResourceOptions;
}

/** Name of the ConfigMap, the Secret, the Deployment, the roles and the container. */
const NAME = RELEASE_GUARD;
/** User of the image. */
const USER = 65532;

/**
 * A guard in each cluster of a release: a pod that may lower the canaries' weights in every cluster, and nothing
 * else. Its rights are given by name, and each cluster's admission policies hold it to them.
 */
export class ReleaseGuard extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:ReleaseGuard";
  /** Name of the ConfigMap with what a guard goes by. */
  static readonly fileName = NAME;
  /** What the guards go by: once this is written, none of them acts on an earlier release. */
  readonly files: readonly k8s.core.v1.ConfigMap[];

  constructor(name: string, args: ReleaseGuardArgs, opts?: pulumi.ComponentResourceOptions) {
    super(ReleaseGuard.type, name, {}, opts);
    const homes = args.clusters.map((cluster) => this.#home(name, args, cluster, opts));
    this.files = homes.map(({ file }) => file);
    for (const cluster of args.clusters) this.#guard(name, args, cluster, homes);
    this.registerOutputs({});
  }

  /** Makes the guards' namespace in a cluster, their accounts, and what these may do. */
  #home(
    name: string,
    { clusters, namespace, services, after = Promise.resolve(), ...args }: ReleaseGuardArgs,
    { name: cluster, provider, file }: GuardedCluster,
    opts: pulumi.ComponentResourceOptions | undefined,
  ): Home {
    const at = `${name}-${cluster}`;
    const { readers = clusters.map((each) => each.name), suspended = [] } = args;
    const first = (...needs: readonly pulumi.Resource[]) =>
      pulumi.mergeOptions(childOptions(this, opts, [...needs]), { provider });
    const home = new k8s.core.v1.Namespace(
      `${at}-namespace`,
      {
        metadata: {
          name: namespace,
          labels: { "pod-security.kubernetes.io/enforce": "restricted" },
        },
      },
      first(),
    );
    const configuration = new k8s.core.v1.ConfigMap(
      `${at}-file`,
      { metadata: { name: NAME, namespace }, data: { [file.name]: file.text } },
      first(home),
    );
    // As dependencies, what is waited for would be listed at each of them.
    const options = (...needs: readonly pulumi.Resource[]): pulumi.CustomResourceOptions => {
      const dependsOn: Promise<pulumi.Resource[]> = after.then(() => [configuration, ...needs]);
      return { parent: this, provider, dependsOn };
    };
    const bindings = Object.entries(guardPolicies(namespace)).map(([kind, spec]) => {
      const policyName = `${namespace}-${kind}`;
      const policy = new k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
        `${at}-${kind}-policy`,
        { metadata: { name: policyName }, spec },
        options(),
      );
      return new k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
        `${at}-${kind}-binding`,
        { metadata: { name: policyName }, spec: { policyName, validationActions: ["Deny"] } },
        options(policy),
      );
    });
    const accounts = readers.map(
      (reader) =>
        new k8s.core.v1.ServiceAccount(
          `${at}-account-${reader}`,
          {
            metadata: { name: guardAccount(reader), namespace },
            // Only the cluster's own guard runs here.
            automountServiceAccountToken: reader === cluster,
          },
          options(),
        ),
    );
    const allow = (
      where: string,
      rules: k8s.types.input.rbac.v1.PolicyRule[],
      subjects: readonly string[],
    ): void => {
      new k8s.rbac.v1.Role(
        `${at}-${where}-role`,
        { metadata: { name: NAME, namespace: where }, rules },
        options(),
      );
      new k8s.rbac.v1.RoleBinding(
        `${at}-${where}-role-binding`,
        {
          metadata: { name: NAME, namespace: where },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: NAME },
          subjects: subjects.map((account) => ({
            kind: "ServiceAccount",
            name: account,
            namespace,
          })),
        },
        // No right without what holds it within its bounds.
        options(...bindings, ...accounts),
      );
    };
    const trusted = readers.filter((reader) => !suspended.includes(reader)).map(guardAccount);
    for (const [of, own] of Map.groupBy(services, (each) => each.namespace)) {
      allow(
        of,
        [
          {
            apiGroups: [routing.metrics.apiGroup],
            resources: [routing.metrics.resource],
            resourceNames: own.map(({ service }) => service),
            verbs: ["get", "patch"],
          },
          {
            apiGroups: [""],
            resources: ["configmaps"],
            resourceNames: [JOURNAL],
            // An apply creates what is not there yet.
            verbs: ["get", "patch", "create"],
          },
        ],
        trusted,
      );
    }
    allow(
      namespace,
      [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [NAME], verbs: ["get"] }],
      [guardAccount(cluster)],
    );
    return { cluster, file: configuration, accounts, options };
  }

  /** The pod of one cluster, and its way into the others. */
  #guard(
    name: string,
    args: ReleaseGuardArgs,
    { name: cluster }: GuardedCluster,
    homes: readonly Home[],
  ): void {
    const { clusters, namespace, image } = args;
    const own = homes.find((home) => home.cluster === cluster);
    if (!own) return;
    const readers = clusters.flatMap(({ name: other, apiServer }) => {
      const home = homes.find((each) => each.cluster === other);
      return home && other !== cluster
        ? [
            accountToken(
              `${name}-${other}-token-${cluster}`,
              { cluster: other, account: guardAccount(cluster), namespace },
              home.options(...home.accounts),
            ).apply((credentials) => readerOf(other, apiServer, credentials)),
          ]
        : [];
    });
    const access = new k8s.core.v1.Secret(
      `${name}-${cluster}-access`,
      {
        metadata: { name: NAME, namespace },
        stringData: {
          ...Object.fromEntries(
            Object.entries(args.secrets ?? {}).map(([file, text]) => [file, pulumi.secret(text)]),
          ),
          kubeconfig: pulumi.secret(pulumi.all(readers).apply((each) => readerKubeconfig(...each))),
        },
      },
      own.options(),
    );
    const labels = serverLabels(NAME);
    const container = {
      name: NAME,
      image,
      args: ["guard", `--port=${RELEASE_GUARD_PORT}`],
      ports: [{ name: "http", containerPort: RELEASE_GUARD_PORT }],
      resources: { requests: { cpu: "20m", memory: "192Mi" }, limits: { memory: "512Mi" } },
      livenessProbe: {
        httpGet: { path: "/healthz", port: "http" },
        initialDelaySeconds: 30,
        periodSeconds: 30,
      },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
      volumeMounts: [
        { name: "file", mountPath: "/etc/release-guard", readOnly: true },
        { name: "access", mountPath: "/etc/release-guard-clusters", readOnly: true },
      ],
    };
    new k8s.apps.v1.Deployment(
      `${name}-${cluster}-deployment`,
      {
        metadata: {
          name: NAME,
          namespace,
          labels,
          // A guard that does not start must not fail an update, which may be the one that lowers the weight:
          // release status says who watches.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          replicas: 1,
          // Two would overwrite each other's notes.
          strategy: { type: "Recreate" },
          selector: { matchLabels: labels },
          template: {
            metadata: { labels: { ...labels, "sidecar.istio.io/inject": "false" } },
            spec: {
              serviceAccountName: guardAccount(cluster),
              securityContext: podSecurity(USER),
              containers: [container],
              volumes: [
                { name: "file", configMap: { name: own.file.metadata.name } },
                {
                  name: "access",
                  secret: { secretName: access.metadata.name, defaultMode: 0o440 },
                },
              ],
            },
          },
        },
      },
      own.options(...own.accounts, access),
    );
  }
}
