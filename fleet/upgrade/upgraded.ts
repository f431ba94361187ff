import type { V1Pod } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { REVISION_LABEL } from "../../lib/revisions.ts";
import type { Move } from "../../lib/upgrade-rules.ts";
import { answersOf } from "../ask-pods.ts";
import { clustersReadBy } from "../checks/remote-clusters.ts";
import { podKey, type ClusterClient } from "../cluster-client.ts";
import { connectionsOf, type Connection } from "../connections.ts";
import { explain } from "../explain.ts";
import { proxyId } from "../proxy-pod.ts";
import { injectedBy } from "./injected-by.ts";

/** Names that are told of many. */
const TOLD = 3;

function told(names: readonly string[]): string {
  const rest = names.length - TOLD;
  return names.slice(0, TOLD).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function nameOf(pod: V1Pod): string {
  const { namespace, name } = podKey(pod);
  return `${namespace}/${name}`;
}

/**
 * What speaks against a revision's istiod: none of its pods runs, or one does not answer, or does not read all clusters.
 *
 * @param clusters names of all that must be read
 */
async function ofIstiod(
  cluster: ClusterClient,
  revision: string,
  clusters: readonly string[],
): Promise<readonly string[]> {
  const list = () =>
    cluster.runningPods(`app=istiod,${REVISION_LABEL}=${revision}`, SYSTEM_NAMESPACE);
  if ((await list()).length === 0) return [`no pod of istiod of ${revision} runs`];
  const answers = await answersOf(list, async (pod) => {
    const reads = await clustersReadBy(cluster, pod);
    return clusters.flatMap((name) =>
      reads[name] === "synced"
        ? []
        : [`istiod (${podKey(pod).name}) says that ${name} is ${reads[name] ?? "unknown there"}`],
    );
  });
  return answers.flat();
}

/** What of a proxy's configuration has been sent, and not acknowledged: it is refused, or on its way. */
function unacknowledged({ nonces }: Connection): readonly string[] {
  return Object.entries(nonces).flatMap(([kind, { sent, acknowledged }]) =>
    sent === acknowledged ? [] : [`${kind}s`],
  );
}

/** What speaks against the proxies of a revision: they are not ready, or not in sync with an istiod of that revision. */
async function ofProxies(cluster: ClusterClient, revision: string): Promise<readonly string[]> {
  const [pods, { of, silent }] = await Promise.all([
    cluster.podsWithProxy(),
    connectionsOf(cluster),
  ]);
  const own = pods.filter((pod) => injectedBy(pod) === revision);
  const connections = (pod: V1Pod) =>
    (of.get(proxyId(pod)) ?? []).filter((each) => each.revision === revision);
  const lost = own.filter((pod) => connections(pod).length === 0);
  const behind = own.flatMap((pod) => {
    // One that has moved from one pod of istiod to another is connected to both for a moment.
    const all = connections(pod).map(unacknowledged);
    const least = all.toSorted((one, other) => one.length - other.length)[0] ?? [];
    return least.length === 0 ? [] : [`${nameOf(pod)} (${least.join(", ")})`];
  });
  const other = own.filter((pod) =>
    (of.get(proxyId(pod)) ?? []).some((each) => each.revision !== revision),
  );
  return [
    ...(lost.length > 0
      ? [
          `${told(lost.map(nameOf))} ${lost.length === 1 ? "is" : "are"} not connected to istiod of ${revision}${silent.length > 0 ? ` (${silent.join("; ")})` : ""}`,
        ]
      : []),
    ...(behind.length > 0 ? [`${told(behind)} did not accept what istiod has sent`] : []),
    ...(other.length > 0
      ? [`${told(other.map(nameOf))} listens to an istiod of another revision`]
      : []),
  ];
}

/**
 * What speaks against a revision in a cluster, in one look: its istiod must serve and read all clusters, and all proxies
 * of it must be in sync with it.
 *
 * @param clusters names of all clusters that its istiod must read
 */
export async function againstRevision(
  cluster: ClusterClient,
  revision: string,
  clusters: readonly string[],
): Promise<readonly string[]> {
  try {
    const found = await Promise.all([
      ofIstiod(cluster, revision, clusters),
      ofProxies(cluster, revision),
    ]);
    return found.flat();
  } catch (error) {
    return [`it cannot be asked: ${explain(error)}`];
  }
}

/**
 * What speaks against a move, in one look: pods of the program in a namespace that have a proxy of another revision.
 *
 * @param apps values of the label `app` of the program's pods
 */
export async function againstMove(
  cluster: ClusterClient,
  { namespace, to }: Pick<Move, "namespace" | "to">,
  apps: readonly string[],
): Promise<readonly string[]> {
  try {
    const left = (await cluster.podsWithProxy()).filter(
      (pod) =>
        podKey(pod).namespace === namespace &&
        apps.includes(pod.metadata?.labels?.["app"] ?? "") &&
        injectedBy(pod) !== to,
    );
    return left.length === 0
      ? []
      : [
          `${told(left.map(nameOf))} still ${left.length === 1 ? "has a proxy" : "have proxies"} of another one`,
        ];
  } catch (error) {
    return [`the pods of ${namespace} cannot be listed: ${explain(error)}`];
  }
}
