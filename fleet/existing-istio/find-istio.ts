import type { V1Deployment } from "@kubernetes/client-node";
import type { FoundIstio, NoIstio } from "../../lib/existing-istio/found.ts";
import { allOf } from "../../lib/enumerate.ts";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { DEFAULT_REVISION, REVISION_LABEL } from "../../lib/revisions.ts";
import { within } from "../../lib/within.ts";
import { answersOf } from "../ask-pods.ts";
import { authoritiesOf } from "../authorities.ts";
import { clustersReadBy } from "../checks/remote-clusters.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { explain, isNotFound } from "../explain.ts";
import { get } from "../pod-http.ts";
import { findRoots } from "./find-roots.ts";
import {
  eastWestGateways,
  gatewayObjects,
  ingressOf,
  peerAuthentications,
} from "./find-gateways.ts";
import { readMeshConfig } from "./mesh-config.ts";

/** Port of istiod on which it tells its version. */
export const ISTIOD_MONITORING_PORT = 15014;

/** Longest wait for what istiod says, in milliseconds: a lower weight waits for it. */
const ASKED_WITHIN_MS = 5_000;

/** What is looked for. */
interface Wanted {
  /** @default the only one there is */
  readonly revision?: string | undefined;
  /** The Gateway object for clients outside, as `namespace/name`. @default none */
  readonly gateway?: string | undefined;
}

function revisionOf({ metadata }: V1Deployment): string {
  return metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION;
}

function noIstio(rule: string, fix: string): NoIstio {
  return { rule, fix };
}

/** The Deployment of the istiod that is meant. */
async function findDeployment(
  cluster: ClusterClient,
  wanted: string | undefined,
): Promise<V1Deployment | NoIstio> {
  const { items } = await cluster.apps.listNamespacedDeployment({
    namespace: SYSTEM_NAMESPACE,
    labelSelector: "app=istiod",
  });
  const [first, ...others] =
    wanted === undefined ? items : items.filter((each) => revisionOf(each) === wanted);
  const revisions = allOf(items.map(revisionOf).sort());
  if (!first) {
    return items.length === 0
      ? noIstio(
          `must lead to a cluster with a control plane of its own, but ${cluster.name} has no Deployment of istiod in ${SYSTEM_NAMESPACE}`,
          "Name the context of a primary cluster: istiod must run in each of them.",
        )
      : noIstio(
          `must lead to a cluster with revision ${wanted ?? ""} of Istio, but ${cluster.name} has ${revisions}`,
          "Correct mesh.revision.",
        );
  }
  return others.length === 0
    ? first
    : noIstio(
        `must lead to a cluster with one revision of Istio, or mesh.revision must name one: ${cluster.name} has ${revisions}`,
        "Set mesh.revision to the one that the services' pods are to have.",
      );
}

/** An argument of istiod, as `--domain cluster.local` or `--domain=cluster.local`. */
function argument(args: readonly string[], name: string): string | undefined {
  const at = args.findIndex((each) => each === name || each.startsWith(`${name}=`));
  return args[at]?.includes("=") === true ? args[at].slice(name.length + 1) : args[at + 1];
}

/** What istiod was started with. */
function settingsOf({ spec }: V1Deployment) {
  const containers = spec?.template.spec?.containers ?? [];
  const discovery = containers.find(({ name }) => name === "discovery") ?? containers[0];
  const args = discovery?.args ?? [];
  return {
    clusterId: discovery?.env?.find(({ name }) => name === "CLUSTER_ID")?.value ?? "Kubernetes",
    clusterDomain: args.some((each) => each.startsWith("--domain"))
      ? (argument(args, "--domain") ?? "cluster.local")
      : "cluster.local",
  };
}

/** What the pods of an istiod say of themselves. A cluster counts as read once all of them read it. */
async function askIstiod(cluster: ClusterClient, revision: string): Promise<FoundIstio["running"]> {
  try {
    const asking = answersOf(
      () => cluster.runningPods(`app=istiod,${REVISION_LABEL}=${revision}`, SYSTEM_NAMESPACE),
      async (pod) => {
        const [text, reads, authorities] = await Promise.all([
          get(cluster, pod, ISTIOD_MONITORING_PORT, "/version"),
          clustersReadBy(cluster, pod),
          authoritiesOf(cluster, pod),
        ]);
        return {
          version: /^v?(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? text.trim(),
          reads,
          ends: authorities[0]?.validToDate,
        };
      },
    );
    const late = `no answer within ${ASKED_WITHIN_MS / 1000} s`;
    const answers = await within(ASKED_WITHIN_MS, asking, late);
    if (answers.length === 0) return { silent: `no pod of revision ${revision} runs` };
    const [version = "", ...others] = [...new Set(answers.map((each) => each.version))].sort();
    if (others.length > 0) {
      return { silent: `its pods are of versions ${allOf([version, ...others])}` };
    }
    const known = [...new Set(answers.flatMap(({ reads }) => Object.keys(reads)))];
    const reads = known.map((name) => {
      const all = answers.map((each) => each.reads[name] ?? "unknown to one of its pods");
      return [name, all.find((status) => status !== "synced") ?? "synced"] as const;
    });
    // None, if one of them has none. All have the same one, save for a moment.
    const ends = answers.map((each) => each.ends).sort((a, b) => Number(a) - Number(b));
    const authorityExpires = ends.includes(undefined) ? undefined : ends[0]?.toISOString();
    return { version, reads: Object.fromEntries(reads), authorityExpires };
  } catch (error) {
    return { silent: explain(error) };
  }
}

/** The mesh config of a revision, as its ConfigMap has it. */
async function meshConfigOf(cluster: ClusterClient, revision: string) {
  const name = revision === DEFAULT_REVISION ? "istio" : `istio-${revision}`;
  try {
    const { data = {} } = await cluster.core.readNamespacedConfigMap({
      name,
      namespace: SYSTEM_NAMESPACE,
    });
    return readMeshConfig(data);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return noIstio(
      `must lead to a cluster whose mesh config is in ConfigMap ${SYSTEM_NAMESPACE}/${name}, which ${cluster.name} does not have`,
      "Have the owner install Istio by its charts, istioctl or the Sail operator.",
    );
  }
}

/**
 * Reads all that there is to know of the Istio that others have installed in a cluster. Writes nothing.
 *
 * @throws if the API server does not answer, or refuses to
 */
export async function findIstio(
  cluster: ClusterClient,
  wanted: Wanted,
): Promise<FoundIstio | NoIstio> {
  const deployment = await findDeployment(cluster, wanted.revision);
  if ("rule" in deployment) return deployment;
  const revision = revisionOf(deployment);
  const [config, home, running, roots, eastWest, gateways, authentications] = await Promise.all([
    meshConfigOf(cluster, revision),
    cluster.core.readNamespace({ name: SYSTEM_NAMESPACE }),
    askIstiod(cluster, revision),
    findRoots(cluster),
    eastWestGateways(cluster),
    gatewayObjects(cluster),
    peerAuthentications(cluster),
  ]);
  if ("rule" in config) return config;
  const asked = gateways.find(({ namespace, name }) => `${namespace}/${name}` === wanted.gateway);
  return {
    ...config,
    ...settingsOf(deployment),
    ...(await ingressOf(cluster, asked)),
    deployment: deployment.metadata?.name ?? "",
    revision,
    network: home.metadata?.labels?.["topology.istio.io/network"],
    running,
    roots,
    eastWest,
    gateways,
    peerAuthentications: authentications,
  };
}
