import { allOf } from "../lib/enumerate.ts";
import { until } from "../lib/until.ts";
import { askPods } from "./ask-pods.ts";
import { clustersReadBy } from "./checks/remote-clusters.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { explain } from "./explain.ts";
import { istiodPods } from "./istiod-pods.ts";
import { causeOf, lastWatchErrors } from "./watch-errors.ts";

/** Pause between two looks, in milliseconds. */
const PAUSE_MS = 1_000;

/** A pod of istiod, and a cluster that it does not read. */
interface Unread {
  readonly reader: ClusterClient;
  readonly pod: string;
  readonly cluster: string;
  /** As istiod calls it. */
  readonly status: string;
}

/** What one look at all istiods has found. */
interface Look {
  readonly unread: readonly Unread[];
  /** Why istiods could not be asked, a line each. */
  readonly silent: readonly string[];
}

async function lookIn(
  reader: ClusterClient,
  clusters: readonly ClusterClient[],
  closed: readonly string[],
): Promise<Look> {
  try {
    const { answers, silent } = await askPods(
      () => istiodPods(reader),
      async (pod) => ({ pod: podKey(pod).name, known: await clustersReadBy(reader, pod) }),
    );
    const isThere = answers.length + silent.length > 0;
    return {
      unread: answers.flatMap(({ pod, known }) =>
        clusters
          .filter((each) => each !== reader && !closed.includes(each.name))
          .map(({ name }) => ({ reader, pod, cluster: name, status: known[name] ?? "unknown" }))
          .filter(({ status }) => status !== "synced"),
      ),
      silent: isThere
        ? silent.map(({ error }) => `${reader.name}: ${explain(error)}`)
        : [`${reader.name}: no pod of istiod runs`],
    };
  } catch (error) {
    return { unread: [], silent: [`${reader.name}: istiod cannot be asked: ${explain(error)}`] };
  }
}

async function look(
  clusters: readonly ClusterClient[],
  closed: readonly string[] = [],
): Promise<Look> {
  const looks = await Promise.all(clusters.map((reader) => lookIn(reader, clusters, closed)));
  return {
    unread: looks.flatMap(({ unread }) => unread),
    silent: looks.flatMap(({ silent }) => silent),
  };
}

/** Who does not read whom, and why, a line each. Pods of one istiod with the same cause share one. */
async function linesOf({ unread, silent }: Look): Promise<readonly string[]> {
  const found = await Promise.all(
    unread.map(async ({ reader, pod, cluster, status }) => {
      const errors = status === "unknown" ? undefined : await lastWatchErrors(reader, pod);
      const why = causeOf({ reader: reader.name, cluster, status, error: errors?.get(cluster) });
      return { pod, who: `istiod of ${reader.name} does not read ${cluster}`, why };
    }),
  );
  const alike = Map.groupBy(found, ({ who, why }) => `${who}: ${why}`);
  return [
    ...[...alike].map(([line, each]) =>
      line.replace(
        " does not read",
        ` (${allOf(each.map(({ pod }) => pod).sort())}) does not read`,
      ),
    ),
    ...silent,
  ];
}

/** How long a wait for reads takes at most, and how long it must hold. */
export interface ReadsOptions {
  /** In milliseconds; the last look may add what its answers take. */
  readonly withinMs: number;
  /**
   * For how long all must be well, in milliseconds: an istiod calls a cluster synced until it has seen that the remote
   * secret has changed. @default one look is enough
   */
  readonly holdsMs?: number | undefined;
  /** Names of the clusters that no other one is to read. @default none */
  readonly closed?: readonly string[] | undefined;
}

/**
 * Waits until every istiod reads every other cluster.
 *
 * @returns who does not read whom, and why, a line each; nothing if all is well
 */
export async function waitForReads(
  clusters: readonly ClusterClient[],
  { withinMs, holdsMs = 0, closed }: ReadsOptions,
): Promise<readonly string[]> {
  let last: Look | undefined;
  let wellSince: number | undefined;
  try {
    await until(
      "every istiod to read every other cluster",
      async () => {
        last = await look(clusters, closed);
        const isWell = last.unread.length + last.silent.length === 0;
        wellSince = isWell ? (wellSince ?? performance.now()) : undefined;
        if (wellSince === undefined || performance.now() - wellSince < holdsMs) {
          throw new Error("not yet");
        }
      },
      { timeoutMs: withinMs, everyMs: PAUSE_MS },
    );
  } catch (error) {
    // What the last look has found says it all.
    if (last === undefined) throw error;
  }
  return last === undefined ? [] : linesOf(last);
}

/**
 * One look at who does not read whom, and why, a line each.
 *
 * @param closed names of the clusters that no other one is to read. @default none
 */
export async function unreadNow(
  clusters: readonly ClusterClient[],
  closed?: readonly string[],
): Promise<readonly string[]> {
  return linesOf(await look(clusters, closed));
}
