import { durationMs } from "../../lib/duration.ts";
import type { Judged } from "../../lib/judged.ts";
import type { Rollout } from "../../stacks/schema.ts";
import type { Metrics } from "./counters.ts";
import { pooledDecisions, pooledVerdict } from "./pooling.ts";
import { readings, type Phase } from "./readings.ts";
import {
  confidenceOf,
  gatesAt,
  gatesOf,
  heldWhereAllIdle,
  needsMetrics,
  verdict,
  type GateVerdict,
} from "./verdict.ts";
import type { WebCounts } from "./web.ts";

/** Where there is no Prometheus, only gates are read that need none. */
const NO_METRICS: Metrics = {
  query: () => Promise.reject(new Error("there is no Prometheus")),
};

/** What of a release decides how its canaries are judged. */
export interface JudgedRelease {
  readonly services: readonly Judged[];
  /** Names of all clusters, whether or not they are judged. */
  readonly clusters: readonly string[];
  readonly phases: readonly number[];
  /** Names of the clusters in which the weight is not in force. */
  readonly quarantine: readonly string[];
  readonly rollout: Pick<Rollout, "bake" | "trial" | "settle" | "gates" | "at">;
}

/** What is judged, and by which counts. */
export interface JudgedBy {
  /** Names of the clusters that are judged. */
  readonly clusters: readonly string[];
  /** Of each cluster, by its name. @default it has none: only gates are read that need none */
  readonly metrics: ReadonlyMap<string, Metrics>;
  /** What the gates of `web` have counted before. @default nothing is remembered */
  readonly web?: WebCounts | undefined;
}

/** What all gates say of all services. */
export async function gateVerdicts(
  { services, clusters, phases, quarantine, rollout }: JudgedRelease,
  by: JudgedBy,
  at: Pick<Phase, "weight" | "since" | "now">,
): Promise<readonly GateVerdict[]> {
  if (at.weight === 0 && rollout.trial === undefined) return [];
  const config = gatesAt(rollout, at.weight);
  const all = gatesOf(config);
  const gated = services.map((judged) => ({
    judged,
    // Clients in quarantine send the canary nothing, so no cluster's share is the weight; nor is that of
    // a chain's follower, which others than the chain may call.
    gates: all.filter(
      ({ kind }) => kind !== "share" || (quarantine.length === 0 && judged.role !== "follower"),
    ),
  }));
  const confidence = confidenceOf(config, {
    phases: phases.length + (rollout.trial === undefined ? 0 : 1),
    clusters: config.pool ? pooledDecisions(clusters.length) : clusters.length,
    gates: gated.flatMap(({ gates }) => gates),
  });
  const phase = {
    ...at,
    settleMs: durationMs(rollout.settle),
    beforeMs: durationMs(rollout.bake),
  };
  const found = await Promise.all(
    by.clusters.flatMap((cluster) => {
      const metrics = by.metrics.get(cluster);
      return gated.map(({ judged, gates }) =>
        readings(
          cluster,
          metrics ?? NO_METRICS,
          judged,
          {
            config,
            gates: gates.filter(
              (gate) =>
                (metrics !== undefined || !needsMetrics(gate)) &&
                // Nor does the canary answer for what its clients do not reach.
                (gate.kind !== "unreached" || !quarantine.includes(cluster)),
            ),
            ...(by.web && { web: by.web }),
          },
          phase,
        ),
      );
    }),
  );
  const read = found.flat();
  const verdicts = read.flatMap((reading) => {
    const gate = all.find(({ name }) => name === reading.gate);
    if (!gate) return [];
    // A cluster in quarantine has another weight, and so another mixture of versions.
    const like = read.filter(
      (each) =>
        each.gate === reading.gate &&
        each.service === reading.service &&
        !quarantine.includes(each.cluster),
    );
    return config.pool && like.includes(reading)
      ? [pooledVerdict(gate, reading, like, at.weight, confidence)]
      : [verdict(gate, reading, at.weight, confidence)];
  });
  return heldWhereAllIdle(verdicts);
}
