import path from "node:path";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { labEnvironment, labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";

const settings = labSettings();

/** A cluster that the tests run on. */
interface TargetCluster {
  /** Its name in the mesh. */
  readonly name: string;
  readonly context: string;
}

/** Where the tests in test/lab run. */
interface Target {
  readonly clusters: () => readonly TargetCluster[];
  /** @default the files kubectl reads */
  readonly kubeconfig?: string;
  /** Which pulumi, plugins and kubectl are used, and on which backend. */
  readonly environment: () => Readonly<Record<string, string>>;
  /** Folder of Pulumi's backend. */
  readonly state: string;
  /** What names of stacks begin with. */
  readonly stacks: string;
  /** What names of namespaces begin with. */
  readonly namespaces: string;
  /** What each release stack's config has of the mesh; nothing if it is in the stack `lab`. */
  readonly mesh: () => Readonly<Record<string, unknown>>;
  /** The address of a cluster's ingress gateway. @default that of the stack `lab` */
  readonly ingress?: (cluster: string) => string | undefined;
}

/** What the set-up of `make e2e` has found and made, for the processes of the tests. */
export interface FoundClusters {
  readonly clusters: readonly TargetCluster[];
  readonly ingress: Readonly<Record<string, string>>;
}

/** Variable by which the set-up passes that on, as JSON. */
export const FOUND = "E2E_FOUND";

/** Namespace of the ingress gateways that the set-up of `make e2e` makes, and their Gateway object's. */
export const E2E_INGRESS = { namespace: "e2e-ingress", name: "e2e-ingress" } as const;

/** The lab's clusters and programs, with the mesh of the stack `lab`. */
function lab(): Target {
  const { kubeconfig, state } = labPaths(settings);
  return {
    clusters: () => settings.clusters.map(({ name }) => ({ name, context: name })),
    ...{ kubeconfig, state, stacks: "lab-", namespaces: "", mesh: () => ({}) },
    environment: () => labEnvironment(settings),
  };
}

/** The folder in which `make e2e` keeps Pulumi's state: what an interrupted run has left is removed by the next one. */
export const e2eFolder = path.join(settings.root, ".e2e");

/** What the set-up has found by now. */
function found(): FoundClusters {
  const text = process.env[FOUND];
  return text === undefined ? { clusters: [], ingress: {} } : (JSON.parse(text) as FoundClusters);
}

/** Clusters of a user's, with the official programs: those on PATH, and the plugins in PULUMI_HOME. */
function user(): Target {
  const state = path.join(e2eFolder, "state");
  return {
    ...{ state, stacks: "e2e-", namespaces: "e2e-" },
    clusters: () => found().clusters,
    ingress: (cluster) => found().ingress[cluster],
    mesh: () => ({
      mesh: { istio: "existing" },
      clusters: found().clusters,
      ingress: { gateway: `${E2E_INGRESS.namespace}/${E2E_INGRESS.name}` },
    }),
    environment: () => ({
      // Node comes with the packages.
      PATH: [path.join(settings.root, "node_modules", ".bin"), process.env["PATH"]].join(
        path.delimiter,
      ),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: path.join(e2eFolder, "passphrase"),
      PULUMI_SKIP_UPDATE_CHECK: "true",
    }),
  };
}

/** Whether the clusters are a user's, and not the lab's. */
export const isE2e = process.env["E2E_CONTEXTS"] !== undefined;

/** The lab, or the clusters that `make e2e` names. */
export const target: Target = isE2e ? user() : lab();

/** The clusters that the tests run on, in their order. */
export function targetClusters({ clusters, kubeconfig }: Target = target): ClusterClient[] {
  return clusters().map(
    (cluster) => new ClusterClient({ ...cluster, ...(kubeconfig !== undefined && { kubeconfig }) }),
  );
}
