import { isContent } from "../fleet/kubeconfig.ts";
import { authorityProblems } from "../lib/certificates.ts";
import { NO_LIMIT } from "../lib/duration.ts";
import { crossClusterName, isServiceName } from "../lib/names.ts";
import { versionName, workloadName } from "../lib/version-name.ts";
import type { Problem } from "../lib/problems.ts";
import { autoscalerProblems } from "./autoscaler-checks.ts";
import { chainConfigProblems } from "./chain-checks.ts";
import { installedIstioProblems } from "./existing-istio-checks.ts";
import { chartProblems } from "./chart-checks.ts";
import { clusterListProblems, drainKeyProblems } from "./cluster-list-checks.ts";
import { clusterPreferenceProblems } from "./cluster-preference-checks.ts";
import { hostProblems, ingressKeyProblems, ingressProblems } from "./ingress-checks.ts";
import { contentInClusters } from "./misplaced-secrets.ts";
import { monitoringProblems } from "./monitoring-checks.ts";
import { networkProblems } from "./network-checks.ts";
import { revisionProblems } from "./revision-checks.ts";
import { portProblems } from "./port-checks.ts";
import { templateProblems } from "./template-checks.ts";
import { versionConfigProblems } from "./version-config-checks.ts";
import { mixedWorkloadProblems, workloadProblems } from "./workload-checks.ts";
import { namesOf, type AwayCluster } from "./schema/away.ts";
import {
  durationMs,
  type Certificates,
  type Chain,
  type Cluster,
  type Ingress,
  type Mesh,
  type Monitoring,
  type Service,
} from "./schema.ts";

/** The parts of the configuration that are valid by themselves; the others are undefined. */
export interface Parts {
  /** Whether the program installs Istio: it is neither another stack's nor others'. */
  readonly installs: boolean;
  /** Whether the mesh is another stack's; then this one has no parts of a mesh. */
  readonly joins: boolean;
  readonly mesh?: Mesh | undefined;
  readonly clusters?: readonly Cluster[] | undefined;
  readonly certificates?: Certificates | undefined;
  readonly ingress?: Ingress | undefined;
  readonly services?: readonly Service[] | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly secretsKey?: string | undefined;
  readonly chain?: Chain | undefined;
  readonly phases?: readonly number[] | undefined;
  readonly weight?: number | undefined;
  readonly quarantine?: readonly string[] | undefined;
  readonly away?: readonly AwayCluster[] | undefined;
  /** Names of the mesh's clusters, whichever stack has installed it. */
  readonly clusterNames?: readonly string[] | undefined;
  /** Istio's versions in the clusters, as far as they are known. */
  readonly istioVersions: readonly string[];
  readonly monitoring?: Monitoring | undefined;
}

/** Every list entry whose key an earlier entry also has. */
export function duplicates<T>(
  list: readonly T[],
  path: (index: number) => string,
  key: (item: T) => string | undefined,
  rule: string,
  fix: string,
): Problem[] {
  const keys = list.map(key);
  return keys.flatMap((value, i) =>
    value !== undefined && keys.indexOf(value) < i
      ? [{ path: path(i), value, rule: `${rule} (same as ${path(keys.indexOf(value))})`, fix }]
      : [],
  );
}

export type Loose = Readonly<Record<string, unknown>>;

/** Pulumi.yaml has to declare defaults for keys that may be left out; these mean "left out". */
export function isBlank(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    (typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.keys(value).length === 0)
  );
}

/** Whether a value is a list that has nothing in it. */
export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function record(value: unknown): Loose {
  return typeof value === "object" && value !== null ? (value as Loose) : {};
}

/**
 * The entries of a list as they were written. Rules between entries hold for these, so that one
 * wrong key does not hide that another one is there twice.
 */
export function entries(value: unknown): readonly Loose[] | undefined {
  return Array.isArray(value) ? value.map(record) : undefined;
}

function string(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A kubeconfig's path; content is in no message. */
function pathOf(kubeconfig: unknown): string | undefined {
  const path = string(kubeconfig);
  return path === undefined || isContent(path) ? undefined : path;
}

function clusterProblems(
  clusters: readonly Loose[],
  installs: boolean,
  oneNetwork: boolean,
): Problem[] {
  const at = (key: string) => (i: number) => `clusters[${i}].${key}`;
  return [
    ...(clusters.length < 2
      ? [
          {
            path: "clusters",
            value: clusters.map(({ name }) => name),
            rule: "must list at least two clusters",
            fix: "Add another one with name, network and context.",
          },
        ]
      : []),
    ...duplicates(
      clusters,
      at("name"),
      ({ name }) => string(name),
      "must name each cluster once",
      "Give the cluster another name.",
    ),
    ...(installs ? networkProblems(clusters, oneNetwork) : []),
    ...contentInClusters(clusters),
    ...duplicates(
      clusters,
      at("context"),
      ({ context, kubeconfig }) =>
        [string(context), pathOf(kubeconfig)].filter(Boolean).join(" in ") || undefined,
      "must be a kubeconfig context that no other cluster has",
      "Name the context that leads to this cluster; kubectl config get-contexts lists them.",
    ),
  ];
}

function serviceListProblems(services: readonly Loose[]): Problem[] {
  return [
    ...duplicates(
      services,
      (i) => `services[${i}].name`,
      ({ name, namespace }) =>
        name && namespace ? `${string(namespace)}/${string(name)}` : undefined,
      "must be a different service",
      "List each service once; its versions are stable and canary.",
    ),
    ...services.flatMap((service, i) => {
      const stable = string(record(service["stable"])["version"]);
      const canary = string(record(service["canary"])["version"]);
      if (canary === undefined || stable === undefined) return [];
      if (canary !== stable && versionName(canary) === versionName(stable)) {
        return [
          {
            path: `services[${i}].canary.version`,
            value: canary,
            rule: `must not have the name in Istio's subsets that ${stable} has, ${versionName(stable)}`,
            fix: "Name the new version otherwise.",
          },
        ];
      }
      return canary === stable
        ? [
            {
              path: `services[${i}].canary.version`,
              value: canary,
              rule: "must be a different version than stable",
              fix: "Name the new version, or remove canary while there is one version.",
            },
          ]
        : [];
    }),
  ];
}

function serviceProblems(
  { name, workload, stable, canary, timeout, retries }: Service,
  i: number,
): Problem[] {
  const problems: Problem[] = [];
  for (const [role, version] of Object.entries({ stable, canary })) {
    if (workload === "existing" || !version) continue;
    const made = workloadName(name, version.version);
    if (!isServiceName(made)) {
      const told = made === `${name}-${version.version}` ? "" : `, as ${made}`;
      problems.push({
        path: `services[${i}].${role}.version`,
        value: version.version,
        rule: `must keep ${name}-<version> within 63 characters: it names the Deployment${told}`,
        fix: "Shorten it.",
      });
    }
  }
  if (
    retries.perTryTimeout &&
    timeout !== NO_LIMIT &&
    durationMs(retries.perTryTimeout) > durationMs(timeout)
  ) {
    problems.push({
      path: `services[${i}].retries.perTryTimeout`,
      value: retries.perTryTimeout,
      rule: `must not be longer than the timeout of ${timeout}, which includes all retries`,
      fix: "Shorten it, or lengthen the timeout.",
    });
  }
  return problems;
}

/** What a service creates by name, and which config key the name comes from. */
function madeBy(
  { name, namespace, workload, stable, canary }: Service,
  i: number,
  clusters: readonly string[],
): readonly { readonly path: string; readonly value: string; readonly made: string }[] {
  const versions = Object.entries({ stable, canary }).flatMap(([role, each]) =>
    each && workload !== "existing"
      ? [{ path: `services[${i}].${role}.version`, kind: "Deployment", last: each.version }]
      : [],
  );
  return [
    ...versions.map(({ path, kind, last }) => ({
      path,
      value: last,
      made: `${kind} ${workloadName(name, last)} in namespace ${namespace}`,
    })),
    ...[name, ...clusters.map((cluster) => crossClusterName(name, cluster))].map((rule) => ({
      path: `services[${i}].name`,
      value: name,
      made: `DestinationRule ${rule} in namespace ${namespace}`,
    })),
    ...clusters.map((cluster) => ({
      path: `services[${i}].namespace`,
      value: namespace,
      made: `Pulumi resource ${name}.${namespace}-${cluster}`,
    })),
  ];
}

/** Two services whose names, combined with a version or a cluster, give one object's name. */
function madeTwice(services: readonly Service[], clusters: readonly string[]): Problem[] {
  const owners = new Map<string, number>();
  const isFirst = ({ name, namespace }: Service, i: number) =>
    services.findIndex((each) => each.name === name && each.namespace === namespace) === i;
  return services.flatMap((service, i) =>
    !isFirst(service, i)
      ? []
      : madeBy(service, i, clusters).flatMap(({ path, value, made }) => {
          const owner = owners.get(made) ?? i;
          owners.set(made, owner);
          return owner === i
            ? []
            : [
                {
                  path,
                  value,
                  rule: `must not make ${made}, which services[${owner}] makes too`,
                  fix: "Rename one of the two, or put the services into different namespaces.",
                },
              ];
        }),
  );
}

function weightProblems(
  weight: number,
  phases: readonly number[] | undefined,
  services: readonly Service[] | undefined,
): Problem[] {
  const problems: Problem[] = [];
  if (phases && weight !== 0 && !phases.includes(weight)) {
    problems.push({
      path: "weight",
      value: weight,
      rule: `must be 0 or one of the phases ${phases.join(", ")}`,
      fix: `Set it with: pulumi config set weight ${phases[0] ?? 0}`,
    });
  }
  if (weight > 0 && services?.every(({ canary }) => !canary)) {
    problems.push({
      path: "weight",
      value: weight,
      rule: "must be 0 while no service has a canary version",
      fix: "Add services[].canary, or: pulumi config set weight 0",
    });
  }
  return problems;
}

/**
 * Rules that span several keys of the configuration.
 *
 * @param raw all keys as they were written
 * @param parts those of them that are valid by themselves
 */
export function crossChecks(raw: Loose, parts: Parts, now: Date): Problem[] {
  const { installs, joins, mesh, clusters, certificates, ingress, services, phases, weight } =
    parts;
  const listed = joins ? undefined : entries(raw["clusters"]);
  const own = certificates?.root !== undefined || certificates?.clusters !== undefined;
  return [
    ...(installs ? installedIstioProblems(raw) : []),
    ...(mesh && installs ? chartProblems(mesh, parts.secrets) : []),
    ...(mesh && installs && clusters ? autoscalerProblems(mesh, clusters) : []),
    ...(mesh && installs ? revisionProblems(mesh, parts.clusterNames) : []),
    ...(listed ? clusterProblems(listed, installs, mesh?.oneNetwork === true) : []),
    ...(own && clusters && installs
      ? authorityProblems(
          "certificates",
          certificates.root,
          certificates.clusters,
          clusters.map(({ name }) => name),
          now,
        )
      : []),
    ...(installs ? ingressProblems(ingress, services ?? [], now) : []),
    ...(services ? hostProblems(ingress, services) : []),
    ...(services ? ingressKeyProblems(services, ingress, parts.chain) : []),
    ...serviceListProblems(entries(raw["services"]) ?? []),
    ...workloadProblems(entries(raw["services"]) ?? []),
    ...templateProblems(entries(raw["services"]) ?? []),
    ...mixedWorkloadProblems(services ?? [], parts.chain),
    ...portProblems(services ?? [], parts.chain),
    ...clusterPreferenceProblems(services ?? [], parts.istioVersions),
    ...(services ?? []).flatMap(serviceProblems),
    ...versionConfigProblems(services ?? [], parts.secrets, !isBlank(raw["secretsKey"])),
    ...madeTwice(services ?? [], parts.clusterNames ?? []),
    ...chainConfigProblems(parts.chain, services),
    ...(weight === undefined ? [] : weightProblems(weight, phases, services)),
    ...clusterListProblems(
      { quarantine: parts.quarantine ?? [], away: namesOf(parts.away ?? []) },
      parts.clusterNames,
    ),
    ...drainKeyProblems(
      parts.away ?? [],
      installs ? "this stack" : joins ? "another stack" : "others",
      services,
    ),
    ...(parts.monitoring ? monitoringProblems(parts.monitoring) : []),
  ];
}
