import { explain } from "../../fleet/explain.ts";
import { durationMs } from "../../lib/duration.ts";
import type { Judged } from "../../lib/judged.ts";
import type { Gates } from "../../stacks/schema.ts";
import { withSamples, withTargets, type Metrics } from "./counters.ts";
import {
  calledAs,
  countCalls,
  countQuery,
  countRequests,
  flagWords,
  readsProxies,
  shareCounts,
  unreachedCounts,
  type Counted,
  type VersionCounts,
} from "./queries.ts";
import type { Count } from "./confidence.ts";
import type { BadCounts } from "./gate.ts";
import { restarts } from "./restarts.ts";
import { needsMetrics, type Gate, type Reading, type RecentCounts } from "./verdict.ts";
import { WebCounts } from "./web.ts";

const NONE: Count = { hits: 0, trials: 0 };
const SILENT: VersionCounts = { failed: NONE, slow: NONE };

/** What counts the bad events, and all, for a gate of one's own. */
interface EventSource {
  /** Of the canary, in the phase. @throws if it cannot tell */
  canary(): Promise<Count>;
  /** Of stable, in the phase or before it. @throws if it cannot tell */
  stable(): Promise<Count>;
}

/** The phase in which a canary is judged; times in milliseconds. */
export interface Phase {
  readonly weight: number;
  readonly since: number;
  readonly now: number;
  /** How long after the start of the phase requests start to count. */
  readonly settleMs: number;
  /** How long before the phase stable is counted where it gets nothing in it. */
  readonly beforeMs: number;
}

/**
 * What one cluster's Prometheus, and endpoints, have counted for each gate of a service. That one does not answer is
 * part of the result, not an error.
 *
 * @param settings.gates those of the configuration that are on
 * @param settings.web remembers what endpoints have counted. @default nothing is remembered
 */
export async function readings(
  cluster: string,
  metrics: Metrics,
  judged: Judged,
  settings: {
    readonly config: Gates;
    readonly gates: readonly Gate[];
    readonly web?: WebCounts | undefined;
  },
  phase: Phase,
): Promise<readonly Reading[]> {
  const { config, gates, web = new WebCounts() } = settings;
  const { service, namespace, host, otherHosts, stable, canary } = judged;
  const reading = (
    gate: Gate,
    more: Pick<Reading, "counts" | "silent" | "idle" | "recent" | "remark">,
  ): Reading => ({
    cluster,
    service: `${namespace}/${service}`,
    version: canary,
    gate: gate.name,
    ...more,
  });
  const wanted = gates.filter(({ kind }) => kind !== "share" || phase.weight > 0);
  const begin = phase.since + phase.settleMs;
  const seconds = Math.floor((phase.now - begin) / 1000);
  const nothing = { canary: NONE, stable: NONE };
  if (seconds < 1) return wanted.map((gate) => reading(gate, { counts: nothing }));

  const during: Counted = {
    cluster,
    service,
    namespace,
    host,
    otherHosts,
    until: new Date(phase.now),
    seconds,
  };
  const before: Counted = {
    ...during,
    until: new Date(phase.since),
    seconds: Math.ceil(phase.beforeMs / 1000),
  };
  /** At 100 % stable gets nothing: what it got before is compared with. */
  const ofStable = phase.weight === 100 ? before : during;
  const { within } = config.latency;
  const prepared = async (counted: Counted): Promise<Counted> =>
    withTargets(metrics, await withSamples(metrics, counted, phase.settleMs), calledAs(judged));
  const known = once(() => prepared(during));
  const knownBefore = once(() => prepared(before));
  const knownOfStable = () => (ofStable === during ? known() : knownBefore());
  const standard = once(async () =>
    countRequests(metrics, await known(), [canary, stable], within),
  );
  const compared = once(async () =>
    ofStable === during
      ? standard()
      : countRequests(metrics, await knownOfStable(), [stable], within),
  );
  const called = once(async () => countCalls(metrics, await known(), judged));
  const calledBefore = once(async () => countCalls(metrics, await knownBefore(), judged));
  /** What is counted in the last stretches of the phase too, as far back as Prometheus has samples. */
  const recently = async <T>(whole: Counted, count: (counted: Counted) => Promise<T>) =>
    Promise.all(
      restarts(phase.now - begin)
        .filter((recent) => recent.seconds < whole.seconds)
        .map(async (recent) => {
          const found = await count({ ...whole, seconds: recent.seconds });
          return { ...recent, found };
        }),
    );
  const answeredLast = once(async () =>
    recently(await known(), async (counted) =>
      countRequests(metrics, counted, [canary, stable], within),
    ),
  );
  const calledLast = once(async () =>
    recently(await known(), async (counted) => countCalls(metrics, counted, judged)),
  );
  /** Whether no client of the cluster has called the service, and not that nobody has counted them. */
  const uncalled = async () => {
    if ((await known()).seconds < 1 || (await called()).all > 0) return false;
    const { fromHere } = await standard();
    if (fromHere === 0) return true;
    throw new Error(
      `it has no series reporter="source" of ${cluster}'s clients, of whom the pods have answered ${fromHere} requests: it does not read the clients' proxies`,
    );
  };
  /** Whether neither version got a request, and not that nobody has counted them. */
  const idle = once(async () => {
    if ((await known()).seconds < 1) return false;
    const { versions, unnamed } = await standard();
    if (unnamed > 0 || Object.values(versions).some(({ failed }) => failed.trials > 0)) {
      return false;
    }
    if (await readsProxies(metrics, during, [canary, stable])) return true;
    throw new Error(
      `it has no requests, and reads no proxy of ${namespace}/${service}: no series up{cluster="${cluster}",namespace="${namespace}"} of its pods is 1`,
    );
  });
  /** What counts for a gate of one's own: a query, or an endpoint. */
  const sourceOf = (name: string): EventSource | undefined => {
    const query = config.queries.find((each) => each.name === name);
    if (query) {
      return {
        canary: async () => countQuery(metrics, query, await known(), canary),
        stable: async () => countQuery(metrics, query, await knownOfStable(), stable),
      };
    }
    const endpoint = config.web.find((each) => each.name === name);
    const ask = async (version: string, since: number, until: number): Promise<Count> =>
      endpoint
        ? web.count(endpoint, {
            ...{ cluster, service, namespace, version },
            since: new Date(since),
            until: new Date(until),
          })
        : NONE;
    return (
      endpoint && {
        canary: async () => ask(canary, begin, phase.now),
        stable: async () =>
          ofStable === during
            ? ask(stable, begin, phase.now)
            : ask(stable, phase.since - phase.beforeMs, phase.since),
      }
    );
  };
  const ofSource = async (source: EventSource): Promise<BadCounts> => {
    const [own, other] = await Promise.all([source.canary(), source.stable()]);
    return { canary: own, stable: other };
  };
  return Promise.all(
    wanted.map(async (gate) => {
      try {
        const source = sourceOf(gate.name);
        if (source) {
          const byQuery = needsMetrics(gate);
          const counts = await ofSource(source).catch(async (error: unknown) => {
            // A query may give nothing where nobody asks for anything.
            if (byQuery && (await idle().catch(() => false))) return nothing;
            throw error;
          });
          const empty = counts.canary.trials === 0 && counts.stable.trials === 0;
          // An endpoint has counted all the same if there is no Prometheus that could tell why it is nothing.
          const isIdle = () => (byQuery ? idle() : idle().catch(() => false));
          return reading(gate, { counts, idle: empty && (await isIdle()) });
        }
        if (gate.kind !== "bad") {
          if (await uncalled()) return reading(gate, { counts: nothing, idle: true });
          if (gate.kind === "unreached") {
            const now = await called();
            const earlier = await calledBefore();
            return reading(gate, {
              counts: unreachedCounts(now, earlier),
              recent: (await calledLast()).map(({ found, ...recent }) => ({
                ...recent,
                counts: unreachedCounts(found, earlier),
              })),
              remark: flagWords(now),
            });
          }
          // Each pod is read at its own time: in a short while, not the same stretch of all is counted.
          const early = (await known()).seconds * 1000 < phase.settleMs;
          const counts = early ? nothing : shareCounts(await called(), stable, canary);
          return reading(gate, { counts });
        }
        if (await idle()) return reading(gate, { counts: nothing, idle: true });
        const [now, earlier] = await Promise.all([standard(), compared()]);
        const own = now.versions[canary] ?? SILENT;
        const other = earlier.versions[stable] ?? SILENT;
        if (now.unnamed > 0 && own.failed.trials === 0) {
          throw new Error(
            `there are series of ${now.unnamed} requests to ${host}, but they lack the label destination_version: Istio takes it from the label "version" of the pods`,
          );
        }
        const of = gate.name === "latency" ? "slow" : "failed";
        const [ofCanary, toCompare] = [own[of], other[of]];
        if (!ofCanary || !toCompare) {
          const which = ofCanary ? stable : canary;
          throw new Error(
            `the series istio_request_duration_milliseconds_bucket of ${which} lack le="${durationMs(within)}", the bound of ${within}: set rollout.gates.latency.within to a bucket that they have`,
          );
        }
        const recent = (await answeredLast()).map(
          ({ found: { versions }, ...stretch }): RecentCounts => ({
            ...stretch,
            counts: {
              canary: versions[canary]?.[of] ?? NONE,
              stable: ofStable === during ? (versions[stable]?.[of] ?? NONE) : toCompare,
            },
          }),
        );
        return reading(gate, { counts: { canary: ofCanary, stable: toCompare }, recent });
      } catch (error) {
        return reading(gate, { counts: undefined, silent: explain(error) });
      }
    }),
  );
}

/** Runs `action` for the first caller, and gives every caller the same answer. */
function once<T>(action: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => (running ??= action());
}
