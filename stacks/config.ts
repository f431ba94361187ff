import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import type { ApiServer } from "../lib/reader-kubeconfig.ts";
import { throwProblems } from "../components/throw-problems.ts";
import { INGRESS_GATEWAY_OBJECT } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import { versionsOf } from "../lib/revisions.ts";
import type { Exception } from "../lib/exceptions.ts";
import type { PathMatch } from "../lib/ingress-paths.ts";
import { apiServers, localServers } from "./api-servers.ts";
import { crossChecks, entries, isBlank, type Parts } from "./checks.ts";
import { existingIstioProblems, isExistingIstio } from "./existing-istio-checks.ts";
import { findMesh, type FoundMesh } from "./existing-istio.ts";
import { drainedOf, namesOf } from "./schema/away.ts";
import { guardSettings, type GuardSettings } from "./guard-checks.ts";
import { hostOwners } from "./ingress-checks.ts";
import { problemsOf } from "./issues.ts";
import { joinedMesh } from "./joined-mesh.ts";
import type { Kept } from "./kept-versions.ts";
import { LastUpdate } from "./last-update.ts";
import { clustersOf, meshKeyProblems } from "./mesh-stack-checks.ts";
import { readMeshStack, type MeshStack } from "./mesh-stack.ts";
import { prometheusProblems } from "./prometheus-checks.ts";
import { dataPlaneProblems, injectorsIn, type Injectors } from "./revision-checks.ts";
import { rolloutProblems } from "./rollout-checks.ts";
import {
  schema,
  TEXT_KEYS,
  type Certificates,
  type Chain,
  type Cluster,
  type ConfigKey,
  type DataPlane,
  type Ingress,
  type Mesh,
  type Monitoring,
  type PrometheusAccess,
  type Requires,
  type Rollout,
  type Safety,
  type Service,
} from "./schema.ts";
import { misplacedSecrets, plainKubeconfig, secretKeysOf } from "./misplaced-secrets.ts";
import { misspeltNamespaces, unknownTopLevel } from "./unknown-keys.ts";
import { unreachableModes } from "./unreachable-modes.ts";

/** How a cluster and its metrics are reached. */
export interface ClusterAccess
  extends
    Pick<
      Cluster,
      | "name"
      | "context"
      | "kubeconfig"
      | "apiServer"
      | "apiServerAuthority"
      | "tlsServerName"
      | "eastWestPort"
      | "prometheus"
    >,
    Omit<Injectors, "name"> {}

/** A mesh that the program installs. */
interface InstalledMesh extends Mesh {
  readonly id: string;
  readonly istioVersion: string;
}

/** Gateways for clients outside that the program installs. */
interface InstalledIngress extends Ingress {
  readonly hosts: string[];
}

/** A cluster in which the program installs Istio. */
export interface ClusterSettings extends Cluster, Omit<Injectors, "name"> {
  readonly network: string;
  /** How the other clusters reach its API server. */
  readonly server: ApiServer;
}

export interface ServiceSettings extends Service {
  /** Hosts of the ingress gateway that lead to this service. */
  readonly ingressHosts: string[];
  /** Paths of these that lead to other services, whichever stack they are of. @default none is known */
  readonly othersPaths?: readonly PathMatch[] | undefined;
}

/** What services need, whichever stack has installed the mesh. Complete and checked. */
export interface ReleaseSettings {
  readonly mesh: Pick<Mesh, "trustDomain" | "clusterDomain" | "env" | "ipFamilies" | "podSecurity">;
  readonly clusters: readonly ClusterAccess[];
  readonly services: readonly ServiceSettings[];
  /** Texts that versions read, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Key of the digests of secrets. @default there are none */
  readonly secretsKey: string | undefined;
  /** How the services make one release. @default each is split on its own */
  readonly chain: Chain | undefined;
  /** The Gateway object for clients outside the mesh, as `namespace/name`. @default the mesh has no ingress gateway */
  readonly ingressGateway: string | undefined;
  /** Whether all clusters are in one network, so that no host names one of them. @default false */
  readonly oneNetwork?: boolean | undefined;
  /** What speaks against the mesh that others have installed. @default nothing */
  readonly istioFindings?: FoundMesh["findings"] | undefined;
  readonly phases: readonly number[];
  readonly weight: number;
  /** Rules that are switched off. */
  readonly allow: readonly Exception[];
  /** Names of the clusters in which the weight is not in force. */
  readonly quarantine: readonly string[];
  /** Names of the clusters in which nothing is read or written. */
  readonly away: readonly string[];
  /** Names of those that are away which the others are to send nothing, either. @default none */
  readonly drain?: readonly string[] | undefined;
  /** Names of the clusters that the others send nothing in this update; see DrainedClusters. @default none */
  readonly closed?: readonly string[] | undefined;
  /** What stays for their sake, whatever the services are to have. @default nothing */
  readonly kept?: Kept | undefined;
  /** Which revision of Istio the pods of namespaces have. @default the tag `default`, or else the one without a name */
  readonly dataPlane?: DataPlane | undefined;
  readonly safety: Safety;
  /** Whether the mesh's stack runs a Prometheus in each cluster. */
  readonly ownPrometheus: boolean;
  /** How the release command reaches a cluster's Prometheus, by the cluster's name; no resource depends on it. */
  readonly prometheus: Readonly<Record<string, PrometheusAccess>>;
  /** How the release command goes through the phases, and what the guards go by. */
  readonly rollout: Rollout;
  /** The stack in which versions must have been released first. @default none */
  readonly requires?: Requires | undefined;
  /** A guard in every cluster. @default none */
  readonly guard?: GuardSettings | undefined;
}

/** The configuration of a stack that installs the mesh. */
export interface Settings extends ReleaseSettings {
  readonly mesh: InstalledMesh;
  readonly clusters: readonly ClusterSettings[];
  readonly certificates: Certificates;
  readonly ingress: InstalledIngress | undefined;
  readonly monitoring: Monitoring | undefined;
}

/** The configuration of a stack whose services run in a mesh that it does not install. */
export interface ReleaseStackSettings extends ReleaseSettings {
  /** Another stack's mesh, or the one of others' Istio. */
  readonly meshStack: MeshStack | FoundMesh;
}

/**
 * Reads the stack's configuration.
 *
 * @param raw values by key, without the project's name
 * @param meshStack what the stack that `meshStack` names says of its mesh, or the clusters of others' Istio. @default it
 * is not known
 * @returns the settings, or every problem there is
 */
export function parseConfig(
  raw: Readonly<Record<string, unknown>>,
  now: Date = new Date(),
  meshStack?: MeshStack | FoundMesh,
):
  | { settings: Settings | ReleaseStackSettings; problems: [] }
  | { settings: undefined; problems: Problem[] } {
  const problems = unknownTopLevel(Object.keys(raw));
  const read = <T extends z.ZodType>(key: ConfigKey, type: T) => {
    const value = isBlank(raw[key]) ? undefined : raw[key];
    const result = type.safeParse(value);
    if (!result.success) {
      problems.push(...result.error.issues.flatMap((issue) => problemsOf(key, value, issue)));
    }
    return result.data;
  };

  const kubeconfig = read("kubeconfig", schema.kubeconfig);
  const joins = !isBlank(raw["meshStack"]);
  const existing = isExistingIstio(raw);
  read("meshStack", schema.meshStack);
  const clusters = joins ? undefined : read("clusters", schema.clusters.unwrap());
  const joined = joins || existing ? meshStack : undefined;
  const reached = joined && clustersOf(joined, existing ? undefined : kubeconfig);
  const mesh = joins ? undefined : read("mesh", schema.mesh.unwrap());
  const found = Object.values(joined?.clusters ?? {}).map(({ istioVersion }) => istioVersion);
  const parts = {
    installs: !joins && !existing,
    joins,
    mesh,
    istioVersions:
      mesh?.istioVersion === undefined
        ? [...new Set(found)]
        : versionsOf({ istioVersion: mesh.istioVersion, revisions: mesh.revisions }),
    clusters,
    clusterNames: (clusters ?? reached)?.map(({ name }) => name),
    certificates: joins ? undefined : read("certificates", schema.certificates),
    ingress: joins ? undefined : read("ingress", schema.ingress),
    services: read("services", schema.services),
    secrets: read("secrets", schema.secrets),
    secretsKey: read("secretsKey", schema.secretsKey),
    chain: read("chain", schema.chain),
    phases: read("phases", schema.phases),
    weight: read("weight", schema.weight),
    quarantine: read("quarantine", schema.quarantine),
    away: read("away", schema.away),
    monitoring: joins ? undefined : read("monitoring", schema.monitoring),
  } satisfies Parts;
  const dataPlane = read("dataPlane", schema.dataPlane);
  const allow = read("allow", schema.allow);
  const safety = read("safety", schema.safety);
  const prometheus = read("prometheus", schema.prometheus);
  const rollout = read("rollout", schema.rollout);
  const requires = read("requires", schema.requires);
  const guard = read("guard", schema.guard);
  problems.push(...crossChecks(raw, parts, now));
  problems.push(...rolloutProblems(rollout, parts.phases));
  problems.push(...prometheusProblems(prometheus, clusters ?? reached));
  if (dataPlane && parts.services && !existing) {
    problems.push(
      ...dataPlaneProblems({
        dataPlane,
        services: parts.services,
        clusters: mesh
          ? clusters?.map(({ name }) => ({ name, ...injectorsIn(mesh, name) }))
          : reached,
        gateways: {
          eastWest: parts.installs && mesh?.oneNetwork !== true,
          ingress: parts.installs && !isBlank(raw["ingress"]),
        },
      }),
    );
  }

  const { certificates, ingress, services, chain, phases, weight, quarantine, away } = parts;
  const { secrets, secretsKey } = parts;
  const drain = drainedOf(away ?? []);
  const release = services &&
    secrets &&
    phases &&
    allow &&
    safety &&
    prometheus &&
    rollout &&
    quarantine &&
    away &&
    weight !== undefined && {
      ...{ services, chain, phases, weight, quarantine, allow, safety, prometheus, rollout },
      ...{ secrets, secretsKey, away: namesOf(away), dataPlane, requires },
      ...(drain.length > 0 && { drain }),
    };
  if (!parts.installs) {
    problems.push(
      ...(joins ? meshKeyProblems(raw) : existingIstioProblems(raw, services, ingress)),
    );
    const own =
      joined && reached && joinedMesh(joined, { reached, services, guard, prometheus }, problems);
    return problems.length > 0 || !release || !own
      ? { settings: undefined, problems }
      : {
          problems: [],
          settings: { ...release, ...own, services: withHosts(release.services, undefined) },
        };
  }

  const servers = apiServers(entries(raw["clusters"]) ?? [], kubeconfig, problems);
  problems.push(...localServers(servers));
  const ownPrometheus = parts.monitoring?.mode === "prometheus";
  const monitoringNamespace = ownPrometheus ? parts.monitoring?.namespace : undefined;
  const guarded =
    clusters &&
    guardSettings(
      guard,
      clusters,
      servers,
      { own: monitoringNamespace, access: prometheus ?? {} },
      problems,
    );
  const { id, istioVersion } = mesh ?? {};
  if (
    problems.length > 0 ||
    !(mesh && clusters && certificates && release) ||
    id === undefined ||
    istioVersion === undefined
  ) {
    return { settings: undefined, problems };
  }
  const gateways = ingress?.hosts && { ...ingress, hosts: ingress.hosts };
  return {
    problems: [],
    settings: {
      ...release,
      guard: guarded,
      mesh: { ...mesh, id, istioVersion },
      clusters: clusters.flatMap(({ network, ...cluster }, i) => {
        const server = servers[i];
        const file = cluster.kubeconfig ?? kubeconfig;
        return server && network !== undefined
          ? [
              {
                ...{ ...cluster, network, server, ...injectorsIn(mesh, cluster.name) },
                ...(file !== undefined && { kubeconfig: file }),
              },
            ]
          : [];
      }),
      ...(mesh.oneNetwork === true && { oneNetwork: true }),
      certificates,
      ingress: gateways,
      ingressGateway: gateways && INGRESS_GATEWAY_OBJECT,
      services: withHosts(release.services, gateways),
      monitoring: parts.monitoring,
      ownPrometheus,
    },
  };
}

function withHosts(services: readonly Service[], ingress: Ingress | undefined): ServiceSettings[] {
  const hosts = hostOwners(ingress, services);
  return services.map((service, i) => {
    const ingressHosts = [...(hosts[i] ?? [])];
    const others = services.flatMap((other, j) =>
      j !== i && (hosts[j] ?? []).some((host) => ingressHosts.includes(host))
        ? (other.ingressPaths ?? [])
        : [],
    );
    const othersPaths = [...others, ...(service.ingressPathsOfOthers ?? [])];
    return {
      ...service,
      ingressHosts,
      ...(service.ingressPaths === undefined && othersPaths.length > 0 && { othersPaths }),
    };
  });
}

/** The project's keys, without its name, and their values as they were written. */
export function rawConfig(
  all: Readonly<Record<string, string>>,
  project: string,
): Readonly<Record<string, unknown>> {
  const prefix = `${project}:`;
  return Object.fromEntries(
    Object.entries(all)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => {
        const name = key.slice(prefix.length);
        return [
          name,
          (TEXT_KEYS as readonly string[]).includes(name) ? value : fromJson(value),
        ] as const;
      }),
  );
}

/**
 * Reads the configuration of the stack that Pulumi runs. Stops it when something is wrong.
 *
 * @param last its last complete update
 */
export async function loadConfig(
  last = new LastUpdate(),
): Promise<Settings | ReleaseStackSettings> {
  const project = pulumi.getProject();
  const all = pulumi.runtime.allConfig();
  const raw = rawConfig(all, project);
  const secretKeys = secretKeysOf(process.env);
  const secrets = [
    ...misplacedSecrets(secretKeys, project),
    ...plainKubeconfig(raw["kubeconfig"], secretKeys.includes(`${project}:kubeconfig`)),
  ];
  // What is wrong elsewhere in such a value waits: telling it would show the secret.
  const hidden = new Set(secrets.map(({ path }) => path));
  const name = isBlank(raw["meshStack"])
    ? undefined
    : schema.meshStack.safeParse(raw["meshStack"]).data;
  const found =
    name === undefined ? await findMesh(raw, () => last.clusters()) : await readMeshStack(name);
  const [meshStack, unread] = found && "rule" in found ? [undefined, [found]] : [found, []];
  const { settings, problems: inside } = parseConfig(raw, new Date(), meshStack);
  const problems = [
    ...misspeltNamespaces(Object.keys(all), project),
    ...unreachableModes(all, process.env),
    ...secrets,
    ...unread,
    ...inside.filter(({ path }) => !hidden.has(path.split(/[.[]/)[0] ?? "")),
  ];
  throwProblems(
    `The configuration of stack ${pulumi.getStack()} has ${problems.length} ` +
      `problem${problems.length === 1 ? "" : "s"} (Pulumi.${pulumi.getStack()}.yaml):`,
    problems,
  );
  if (!settings) {
    throw new Error("the configuration gave neither settings nor problems");
  }
  return settings;
}

function fromJson(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
