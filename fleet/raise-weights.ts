import { shareOf } from "../lib/deployed.ts";
import { allOf } from "../lib/enumerate.ts";
import { MAY_HEAL } from "../lib/may-heal.ts";
import { weightIn } from "../lib/release-rules.ts";
import { until } from "../lib/until.ts";
import type { Barrier } from "./barrier.ts";
import type { Rise } from "./checks/check.ts";
import type { Objections } from "./checks/look-again.ts";
import type { ClusterClient } from "./cluster-client.ts";
import type { ConfirmedRoutes } from "./confirm.ts";
import { explain, isRefusal, isTransient } from "./explain.ts";
import { lower } from "./lower.ts";
import { clusterRouting } from "./routing/index.ts";
import { runProtocol, TaskFailure, type Actions, type Raised } from "./run-protocol.ts";
import { readRoute } from "./read-deployed.ts";
import { serviceKey } from "../lib/names.ts";
import { leftOutLines, switched } from "./switched.ts";
import { confirmWritten } from "./written-over.ts";

/** How long to keep trying to take a weight back, in milliseconds. */
const RESTORE_WITHIN_MS = 20_000;

/** What was done, for a person. */
export interface RaiseReport {
  readonly raised: boolean;
  readonly text: string;
}

/** Raises the shares of the barrier's canaries in all clusters or in none. */
export async function raiseWeights(barrier: Barrier): Promise<RaiseReport> {
  const { clusters, rises, limits } = barrier;
  const served: ConfirmedRoutes[] = [];
  let others = 0;
  const leftOut: string[] = [];
  let checked: Promise<Objections> | undefined;
  const of = (name: string): ClusterClient => {
    const found = clusters.find((each) => each.name === name);
    if (!found) throw new Error(`there is no cluster ${name}`);
    return found;
  };
  const actions: Actions = {
    checking: async (name) => {
      const objections = (await (checked ??= barrier.check())).get(name);
      if (!objections) throw new TaskFailure("refused", "was not checked");
      if (objections.length > 0) {
        const lines = objections.map(({ line }) => line).join("\n");
        const mayHeal = objections.every((each) => each.mayHeal);
        throw new TaskFailure("refused", lines, mayHeal);
      }
    },
    writing: (name) => writeAll(of(name), rises),
    confirming: async (name) => {
      const expected = rises.map((rise) => ({ ...rise, weight: weightIn(rise, name) }));
      const { confirmWithinMs: timeoutMs, askEnvoys, who } = limits;
      const confirmed = await confirmWritten(of(name), expected, { timeoutMs, askEnvoys, who });
      const { routes, acknowledged } = confirmed;
      // Where the weight was right before, no Envoy has switched now.
      const switching = routes.filter((_, i) => rises[i]?.changes.has(name));
      served.push(...switching.flat());
      if (switching.length > 0) others += acknowledged;
      leftOut.push(...leftOutLines(name, confirmed));
    },
    restoring: (name) => restoreAll(of(name), rises),
  };
  const result = await runProtocol(
    clusters.map(({ name }) => name),
    actions,
  );
  if (result.state.step === "raised") {
    return {
      raised: true,
      text: [
        `${rises.map(described).join("; ")}: ${switched(served, others)}.`,
        ...leftOut.sort(),
      ].join("\n"),
    };
  }
  const { places } = result.state;
  const lost = Object.keys(places).filter((name) => places[name] === "lost");
  if (result.state.step === "restored") await level(clusters, rises, lost);
  return { raised: false, text: failureText(result, lost, await table(clusters, rises, lost)) };
}

function described(rise: Rise): string {
  const from = [
    ...new Set([...rise.changes.values()].map(({ route }) => shareOf(route, rise.canary))),
  ];
  return `${rise.canary} of ${serviceKey(rise)} from ${allOf(from.map(String))} % to ${rise.weight} % in ${[...rise.changes.keys()].join(", ")}`;
}

/** Writes the new rules of all services; refused means that none of them has changed. */
async function writeAll(cluster: ClusterClient, rises: readonly Rise[]): Promise<void> {
  const results = await Promise.allSettled(
    rises.map(async (rise) => {
      const change = rise.changes.get(cluster.name);
      if (!change) return;
      // Somebody may have lowered the weight since the check: theirs stays.
      await clusterRouting.write(cluster, rise, change.rules, {
        replacing: change.route.resourceVersion,
      });
    }),
  );
  const errors: unknown[] = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (errors.length === 0) return;
  const none = errors.length === results.length && errors.every(isRefusal);
  const reason = errors.map(explain).join("\n");
  throw new TaskFailure(none ? "refused" : "unsure", reason, errors.every(isTransient));
}

/** Gives back the weights that were there, except where somebody has since written others. */
async function restoreAll(cluster: ClusterClient, rises: readonly Rise[]): Promise<void> {
  await until(
    `the API server of ${cluster.name} to take the weights back`,
    async () => {
      await Promise.all(
        rises.map(async (rise) => {
          const change = rise.changes.get(cluster.name);
          try {
            const now = change && (await readRoute(cluster, rise));
            if (!now) return;
            // A write that was not answered may yet arrive.
            const fence = now.resourceVersion === change.route.resourceVersion;
            if (!fence && shareOf(now, rise.canary) !== rise.weight) return;
            const replacing = now.resourceVersion;
            await clusterRouting.write(cluster, rise, change.route.rules, { replacing, fence });
          } catch (error) {
            throw new Error(explain(error), { cause: error });
          }
        }),
      );
    },
    { timeoutMs: RESTORE_WITHIN_MS, everyMs: 500 },
  );
}

/**
 * Lowers all clusters to what somebody else has written in one of them, where that is less than the weight that was
 * given back: whoever applies it would only write it again, and no cluster stays on its own.
 */
async function level(
  clusters: readonly ClusterClient[],
  rises: readonly Rise[],
  lost: readonly string[],
): Promise<void> {
  await Promise.all(
    rises.map(async (rise) => {
      const { service, namespace, canary, quarantine } = rise;
      const found = await Promise.all(
        clusters
          .filter(({ name }) => !lost.includes(name) && !quarantine.includes(name))
          .map(async (cluster) => {
            const route = await readRoute(cluster, rise).catch(() => undefined);
            return route ? [{ cluster, route, share: shareOf(route, canary) }] : [];
          }),
      );
      const all = found.flat();
      const weight = Math.min(
        ...all.flatMap(({ route, share }) => (route.writtenBy === undefined ? [] : [share])),
      );
      // What could not be lowered is in the table, and the next update lowers it.
      await lower(
        all
          .filter(({ share }) => share > weight)
          .map(({ cluster, route: { rules } }) => ({
            ...{ cluster, service, namespace, canary },
            ...{ weight, rules },
          })),
      );
    }),
  );
}

/** What each cluster serves now, read from its API server, except for those that have just not answered. */
async function table(
  clusters: readonly ClusterClient[],
  rises: readonly Rise[],
  lost: readonly string[],
): Promise<readonly string[]> {
  return Promise.all(
    rises.flatMap((rise) =>
      clusters.map(async (cluster) => {
        const head = `${cluster.name}: ${rise.canary} of ${serviceKey(rise)}`;
        const change = rise.changes.get(cluster.name);
        const wanted = weightIn(rise, cluster.name);
        const either = change
          ? `${head} has ${shareOf(change.route, rise.canary)} % or ${wanted} %`
          : `${head} has ${wanted} %`;
        if (lost.includes(cluster.name)) return either;
        try {
          const route = await readRoute(cluster, rise);
          return `${head} has ${route ? shareOf(route, rise.canary) : 0} %`;
        } catch (error) {
          return `${either}, it cannot be read (${explain(error)})`;
        }
      }),
    ),
  );
}

function failureText(
  { state, reasons }: Raised,
  lost: readonly string[],
  now: readonly string[],
): string {
  const doing = {
    checking: "",
    writing: "writing the weight: ",
    confirming: "serving the weight: ",
    restoring: "taking the weight back: ",
  };
  const heals = lost.length === 0 && reasons.every(({ mayHeal }) => mayHeal);
  return [
    state.step === "refused"
      ? "The weight has risen in no cluster:"
      : `The weight was taken back in ${lost.length === 0 ? "all clusters" : `all clusters but ${lost.join(", ")}`}:`,
    ...reasons.flatMap(({ cluster, task, reason }) =>
      reason.split("\n").map((line) => ` - ${cluster}: ${doing[task]}${line}`),
    ),
    "What the clusters have now:",
    ...now.map((line) => ` - ${line}`),
    lost.length > 0
      ? `Fix ${lost.join(", ")}, then run pulumi up again, with this weight or a lower one: it makes all clusters the same.`
      : `Nothing needs to be cleaned up. ${heals ? MAY_HEAL : "Fix the cause, then run pulumi up again."}`,
  ].join("\n");
}
