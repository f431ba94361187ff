import type { V1Pod } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { REVISION_LABEL } from "../../lib/revisions.ts";
import type { Move } from "../../lib/upgrade-rules.ts";
import { mayMiss, type WhoCounts } from "../../lib/who-counts.ts";
import { answersOf } from "../ask-pods.ts";
import { clustersReadBy } from "../checks/remote-clusters.ts";
import { podKey, type ClusterClient } from "../cluster-client.ts";
import { connectionsOf, type Connection } from "../connections.ts";
import { notCounted } from "../enough.ts";
import { explain } from "../explain.ts";
import { whoCounts } from "../left-out.ts";
import { isSidecar, proxyId } from "../proxy-pod.ts";
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

/** What a look at a revision has found. */
export interface RevisionLook {
  /** What speaks against it. */
  readonly against: readonly string[];
  /** Proxies that were left out, in words. */
  readonly leftOut: readonly string[];
}

/**
 * What speaks against the proxies of a revision: they are not ready, or not in sync with an istiod of that revision. Who
 * counts is the same as in a confirmation.
 */
async function ofProxies(
  cluster: ClusterClient,
  revision: string,
  who: WhoCounts,
): Promise<RevisionLook> {
  const [pods, { of, silent }] = await Promise.all([
    cluster.podsWithProxy(),
    connectionsOf(cluster),
  ]);
  const sorted = whoCounts(
    pods.filter((pod) => injectedBy(pod) === revision),
    who,
  );
  const own = sorted.counted;
  const connections = (pod: V1Pod) =>
    (of.get(proxyId(pod)) ?? []).filter((each) => each.revision === revision);
  const lost = own.filter((pod) => connections(pod).length === 0);
  const left = (pod: V1Pod) => {
    // One that has moved from one pod of istiod to another is connected to both for a moment.
    const all = connections(pod).map(unacknowledged);
    return all.toSorted((one, other) => one.length - other.length)[0] ?? [];
  };
  const behind = own.filter((pod) => left(pod).length > 0);
  const other = own.filter((pod) =>
    (of.get(proxyId(pod)) ?? []).some((each) => each.revision !== revision),
  );
  const against = [
    ...(lost.length > 0
      ? [
          `${told(lost.map(nameOf))} ${lost.length === 1 ? "is" : "are"} not connected to istiod of ${revision}${silent.length > 0 ? ` (${silent.join("; ")})` : ""}`,
        ]
      : []),
    ...(behind.length > 0
      ? [
          `${told(behind.map((pod) => `${nameOf(pod)} (${left(pod).join(", ")})`))} did not accept what istiod has sent`,
        ]
      : []),
    ...(other.length > 0
      ? [`${told(other.map(nameOf))} listens to an istiod of another revision`]
      : []),
  ];
  const leftOut = notCounted(sorted.lost, sorted.excluded.length);
  const late = [...new Set([...lost, ...behind, ...other])];
  if (late.length === 0 || !mayGoWithout(late, own.length, who)) return { against, leftOut };
  const few = `${late.length} of ${own.length} that are not in sync, where ${who.percent} % are enough (${against.join("; ")})`;
  return { against: [], leftOut: [few, ...leftOut] };
}

/** Whether proxies that are not in sync are few enough: all gateways must be. */
function mayGoWithout(late: readonly V1Pod[], counted: number, { percent }: WhoCounts): boolean {
  return late.every(isSidecar) && late.length <= mayMiss(percent, counted);
}

/**
 * What speaks against a revision in a cluster, in one look: its istiod must serve and read all clusters, and all proxies
 * of it that count must be in sync with it.
 *
 * @param clusters names of all clusters that its istiod must read
 */
export async function againstRevision(
  cluster: ClusterClient,
  revision: string,
  clusters: readonly string[],
  who: WhoCounts,
): Promise<RevisionLook> {
  try {
    const [istiod, { against, leftOut }] = await Promise.all([
      ofIstiod(cluster, revision, clusters),
      ofProxies(cluster, revision, who),
    ]);
    return { against: [...istiod, ...against], leftOut };
  } catch (error) {
    return { against: [`it cannot be asked: ${explain(error)}`], leftOut: [] };
  }
}

/**
 * What speaks against a move, in one look: pods of the program in a namespace that have a proxy of another revision, and
 * count.
 *
 * @param apps values of the label `app` of the program's pods
 */
export async function againstMove(
  cluster: ClusterClient,
  { namespace, to }: Pick<Move, "namespace" | "to">,
  apps: readonly string[],
  who: WhoCounts,
): Promise<readonly string[]> {
  try {
    const left = whoCounts(await cluster.podsWithProxy(), who).counted.filter(
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
