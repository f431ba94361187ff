import { durationMs } from "../../lib/duration.ts";
import type { Judged } from "../../lib/judged.ts";
import type { Rollout } from "../../stacks/schema.ts";
import type { Metrics } from "./counters.ts";
import { readings, type Phase } from "./readings.ts";
import { confidenceOf, gatesOf, heldWhereAllIdle, verdict, type GateVerdict } from "./verdict.ts";

/** What of a release decides how its canaries are judged. */
export interface JudgedRelease {
  readonly services: readonly Judged[];
  /** Names of all clusters, whether or not they are judged. */
  readonly clusters: readonly string[];
  readonly phases: readonly number[];
  /** Names of the clusters in which the weight is not in force. */
  readonly quarantine: readonly string[];
  readonly rollout: Pick<Rollout, "bake" | "trial" | "settle" | "gates">;
}

/**
 * What all gates say of all services.
 *
 * @param metrics of each cluster that is judged, by its name
 */
export async function gateVerdicts(
  { services, clusters, phases, quarantine, rollout }: JudgedRelease,
  metrics: ReadonlyMap<string, Metrics>,
  at: Pick<Phase, "weight" | "since" | "now">,
): Promise<readonly GateVerdict[]> {
  if (at.weight === 0 && rollout.trial === undefined) return [];
  const all = gatesOf(rollout.gates);
  const gated = services.map((judged) => ({
    judged,
    // Clients in quarantine send the canary nothing, so no cluster's share is the weight; nor is that of
    // a chain's follower, which others than the chain may call.
    gates: all.filter(
      ({ kind }) => kind !== "share" || (quarantine.length === 0 && judged.role !== "follower"),
    ),
  }));
  const confidence = confidenceOf(rollout.gates, {
    phases: phases.length + (rollout.trial === undefined ? 0 : 1),
    clusters: clusters.length,
    gates: gated.flatMap(({ gates }) => gates),
  });
  const phase = {
    ...at,
    settleMs: durationMs(rollout.settle),
    beforeMs: durationMs(rollout.bake),
  };
  const found = await Promise.all(
    [...metrics].flatMap(([cluster, source]) =>
      gated.map(({ judged, gates }) =>
        readings(
          cluster,
          source,
          judged,
          {
            config: rollout.gates,
            // Nor does the canary answer for what its clients do not reach.
            gates: quarantine.includes(cluster)
              ? gates.filter(({ kind }) => kind !== "unreached")
              : gates,
          },
          phase,
        ),
      ),
    ),
  );
  const verdicts = found.flat().flatMap((reading) => {
    const gate = all.find(({ name }) => name === reading.gate);
    return gate ? [verdict(gate, reading, at.weight, confidence)] : [];
  });
  return heldWhereAllIdle(verdicts);
}
