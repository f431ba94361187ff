import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { apiServerOf, defaultKubeconfigs, type ApiServer } from "../lib/kubeconfig.ts";
import { throwProblems, type Problem } from "../lib/problems.ts";
import type { Exception } from "../lib/release-rules.ts";
import { crossChecks, entries, hostOwners, type Loose, type Parts } from "./checks.ts";
import { problemsOf } from "./issues.ts";
import {
  schema,
  type Certificates,
  type Cluster,
  type Ingress,
  type Mesh,
  type Safety,
  type Service,
} from "./schema.ts";
import { misplacedSecrets, secretKeysOf } from "./misplaced-secrets.ts";
import { misspeltNamespaces, unknownTopLevel } from "./unknown-keys.ts";
import { unreachableModes } from "./unreachable-modes.ts";

export interface ClusterSettings extends Cluster {
  /** How the other clusters reach its API server. */
  readonly server: ApiServer;
}

export interface ServiceSettings extends Service {
  /** Hosts of the ingress gateway that lead to this service. */
  readonly ingressHosts: string[];
}

/** The whole configuration, complete and checked. */
export interface Settings {
  readonly mesh: Mesh;
  readonly clusters: readonly ClusterSettings[];
  readonly certificates: Certificates;
  readonly ingress: Ingress | undefined;
  readonly services: readonly ServiceSettings[];
  readonly phases: readonly number[];
  readonly weight: number;
  /** Rules that are switched off. */
  readonly allow: readonly Exception[];
  /** Names of the clusters in which the weight is not in force. */
  readonly quarantine: readonly string[];
  readonly safety: Safety;
}

/** Keys whose values are text as it stands; the others are read as JSON, as Pulumi writes them. */
const TEXT_KEYS: readonly string[] = ["kubeconfig"];

/** Pulumi.yaml has to declare defaults for keys that may be left out; these mean "left out". */
function isBlank(value: unknown): boolean {
  return (
    value === "" ||
    (typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.keys(value).length === 0)
  );
}

/**
 * Reads the stack's configuration.
 *
 * @param raw values by key, without the project's name
 * @returns the settings, or every problem there is
 */
export function parseConfig(
  raw: Readonly<Record<string, unknown>>,
  now: Date = new Date(),
): { settings: Settings; problems: [] } | { settings: undefined; problems: Problem[] } {
  const problems = unknownTopLevel(Object.keys(raw));
  const read = <T extends z.ZodType>(key: keyof typeof schema, type: T) => {
    const value = isBlank(raw[key]) ? undefined : raw[key];
    const result = type.safeParse(value);
    if (!result.success) {
      problems.push(...result.error.issues.flatMap((issue) => problemsOf(key, value, issue)));
    }
    return result.data;
  };

  const kubeconfig = read("kubeconfig", schema.kubeconfig);
  const parts = {
    mesh: read("mesh", schema.mesh),
    clusters: read("clusters", schema.clusters),
    certificates: read("certificates", schema.certificates),
    ingress: read("ingress", schema.ingress),
    services: read("services", schema.services),
    phases: read("phases", schema.phases),
    weight: read("weight", schema.weight),
    quarantine: read("quarantine", schema.quarantine),
  } satisfies Parts;
  const allow = read("allow", schema.allow);
  const safety = read("safety", schema.safety);
  problems.push(...crossChecks(raw, parts, now));

  const servers = (entries(raw["clusters"]) ?? []).map((cluster, i) =>
    serverOf(cluster, kubeconfig, `clusters[${i}]`, problems),
  );
  problems.push(...sameServer(servers));

  const { mesh, clusters, certificates, ingress, services, phases, weight, quarantine } = parts;
  if (
    problems.length > 0 ||
    !mesh ||
    !clusters ||
    !certificates ||
    !services ||
    !phases ||
    !allow ||
    !safety ||
    !quarantine ||
    weight === undefined
  ) {
    return { settings: undefined, problems };
  }
  const hosts = hostOwners(ingress, services);
  return {
    problems: [],
    settings: {
      mesh,
      clusters: clusters.flatMap((cluster, i) => {
        const server = servers[i];
        const file = cluster.kubeconfig ?? kubeconfig;
        return server
          ? [{ ...cluster, server, ...(file !== undefined && { kubeconfig: file }) }]
          : [];
      }),
      certificates,
      ingress,
      services: services.map((service, i) => ({
        ...service,
        ingressHosts: [...(hosts[i] ?? [])],
      })),
      phases,
      weight,
      quarantine,
      allow,
      safety,
    },
  };
}

/** The API server of a cluster; what keeps other clusters from it goes to `problems`. */
function serverOf(
  cluster: Loose,
  kubeconfig: string | undefined,
  path: string,
  problems: Problem[],
): ApiServer | undefined {
  const { context, apiServer } = cluster;
  const file = typeof cluster["kubeconfig"] === "string" ? cluster["kubeconfig"] : kubeconfig;
  if (typeof context !== "string" || context === "") {
    return undefined;
  }
  try {
    const known = apiServerOf(file === undefined ? defaultKubeconfigs() : [file], context);
    const server = typeof apiServer === "string" ? apiServer : known.server;
    const hostname = URL.canParse(server) ? new URL(server).hostname : "";
    if (["localhost", "[::1]", "0.0.0.0"].includes(hostname) || hostname.startsWith("127.")) {
      problems.push({
        path: `${path}.apiServer`,
        value: server,
        rule: "must be an address that other clusters reach, for their istiod reads endpoints there",
        fix: "Set it to the API server's URL as seen from outside the cluster's machine.",
      });
    }
    return { ...known, server };
  } catch (error) {
    problems.push({
      path: `${path}.context`,
      value: context,
      rule: `must be a context of the kubeconfig: ${error instanceof Error ? error.message : String(error)}`,
      fix: "Name a context that kubectl config get-contexts lists, or set kubeconfig to the file that has it.",
    });
    return undefined;
  }
}

/** Two contexts with one server are one cluster, whatever they are called. */
function sameServer(servers: readonly (ApiServer | undefined)[]): Problem[] {
  const urls = servers.map((known) => known?.server);
  return urls.flatMap((url, i) =>
    url !== undefined && urls.indexOf(url) < i
      ? [
          {
            path: `clusters[${i}].context`,
            value: url,
            rule: `must lead to another API server than clusters[${urls.indexOf(url)}].context`,
            fix: "Name the context of the other cluster.",
          },
        ]
      : [],
  );
}

/** Reads the configuration of the stack that Pulumi runs. Stops it when something is wrong. */
export function loadConfig(): Settings {
  const project = pulumi.getProject();
  const prefix = `${project}:`;
  const all = pulumi.runtime.allConfig();
  const raw = Object.fromEntries(
    Object.entries(all)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => {
        const name = key.slice(prefix.length);
        return [name, TEXT_KEYS.includes(name) ? value : fromJson(value)] as const;
      }),
  );
  const secrets = misplacedSecrets(secretKeysOf(process.env), project);
  // What is wrong elsewhere in such a value waits: telling it would show the secret.
  const hidden = new Set(secrets.map(({ path }) => path));
  const { settings, problems: inside } = parseConfig(raw);
  const problems = [
    ...misspeltNamespaces(Object.keys(all), project),
    ...unreachableModes(all, process.env),
    ...secrets,
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
