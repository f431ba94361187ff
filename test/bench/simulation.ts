import { randomBinomial, randomLcg } from "d3-random";
import type { Count } from "../../release/gates/confidence.ts";
import type { BadCounts } from "../../release/gates/gate.ts";
import { confidenceOf, gatesOf, verdict, type Gate } from "../../release/gates/verdict.ts";
import { nextStep, phase, type Plan, type Progress } from "../../release/planner.ts";
import { durationMs } from "../../lib/duration.ts";
import { schema } from "../../stacks/schema.ts";

/** One cluster of a simulated mesh. */
interface SimulatedCluster {
  readonly name: string;
  /** Part of all traffic, 0 to 1. */
  readonly traffic: number;
  /** Chance that a request of the version fails. */
  readonly failing: { readonly stable: number; readonly canary: number };
}

export interface Scenario {
  readonly clusters: readonly SimulatedCluster[];
  /** Requests per second in all clusters together. */
  readonly requestsPerSecond: number;
}

/** How a simulated rollout ended. */
export interface Ending {
  readonly result: "done" | "rolled-back" | "stopped";
  /** The last weight before the end. */
  readonly weight: number;
  /** Since the first phase began. */
  readonly minutes: number;
  /** Whether a gate said fail, and not only that it saw too little. */
  readonly failed: boolean;
}

/** Chance that a request of either version is slow. */
const SLOW = 0.002;

const defaults = schema.rollout.parse(undefined);
const phases = [10, 30, 100];
const plan: Plan = {
  phases,
  stack: "simulated",
  trialMs: undefined,
  bakeMs: durationMs(defaults.bake),
  maxFailures: defaults.maxFailures,
  noDataLimitMs: durationMs(defaults.noDataLimit),
  approval: [],
  asks: { before: false, confirm: false },
};
const intervalMs = durationMs(defaults.interval);

type Binomial = (trials: number, chance: number) => () => number;
type Counts = Record<"failed" | "slow" | "unreached" | "share", BadCounts>;
const nothing: Count = { hits: 0, trials: 0 };
const zero: Counts = {
  failed: { canary: nothing, stable: nothing },
  slow: { canary: nothing, stable: nothing },
  unreached: { canary: nothing, stable: nothing },
  share: { canary: nothing, stable: nothing },
};

function plus(a: Count, b: Count): Count {
  return { hits: a.hits + b.hits, trials: a.trials + b.trials };
}

function countsOf(gate: Gate, counts: Counts): BadCounts {
  if (gate.kind !== "bad") return counts[gate.kind];
  return gate.name === "latency" ? counts.slow : counts.failed;
}

/** What one cluster has seen during one interval at a weight. */
function drawn(
  { traffic, failing }: SimulatedCluster,
  { requestsPerSecond }: Scenario,
  weight: number,
  random: () => number,
): Counts {
  // Its types know of one parameter only.
  const binomial = randomBinomial.source(random) as unknown as Binomial;
  const draw = (n: number, p: number) => binomial(n, p)();
  const all = Math.round((requestsPerSecond * traffic * intervalMs) / 1000);
  const canary = draw(all, weight / 100);
  const bad = (trials: number, p: number): Count => ({ hits: draw(trials, p), trials });
  const both = (ofCanary: number, ofStable: number): BadCounts => ({
    canary: bad(canary, ofCanary),
    stable: bad(all - canary, ofStable),
  });
  return {
    failed: both(failing.canary, failing.stable),
    slow: both(SLOW, SLOW),
    // Every request arrives, as before the phase.
    unreached: { canary: { hits: 0, trials: all }, stable: { hits: 0, trials: all } },
    share: { canary: { hits: canary, trials: all }, stable: nothing },
  };
}

/** One whole rollout with the default gates and times, its requests drawn at random. */
function simulate(scenario: Scenario, seed: number): Ending {
  const random = randomLcg(seed);
  const gates = gatesOf(defaults.gates);
  const { clusters } = scenario;
  const confidence = confidenceOf(defaults.gates, {
    phases: phases.length,
    clusters: clusters.length,
    gates,
  });
  let weight = 0;
  let progress: Progress | undefined;
  let seen: readonly Counts[] = clusters.map(() => zero);
  /** What stable got while the weight was below 100, to compare with at 100. */
  let earlier: readonly Counts[] = seen;
  for (let now = 0; ; now += intervalMs) {
    if (weight > 0) {
      seen = clusters.map((cluster, i) => {
        const [before, more] = [seen[i] ?? zero, drawn(cluster, scenario, weight, random)];
        const add = (of: keyof Counts): BadCounts => ({
          canary: plus(before[of].canary, more[of].canary),
          stable: plus(before[of].stable, more[of].stable),
        });
        return {
          failed: add("failed"),
          slow: add("slow"),
          unreached: add("unreached"),
          share: add("share"),
        };
      });
    }
    const verdicts =
      weight === 0
        ? []
        : clusters.flatMap(({ name }, i) =>
            gates.map((gate) => {
              const own = countsOf(gate, seen[i] ?? zero);
              const counts =
                weight === 100 && gate.kind === "bad"
                  ? { ...own, stable: countsOf(gate, earlier[i] ?? zero).stable }
                  : own;
              const reading = { cluster: name, service: "user/user-service", version: "v2" };
              return verdict(gate, { ...reading, gate: gate.name, counts }, weight, confidence);
            }),
          );
    const look = {
      release: "v2",
      clusters: clusters.map(({ name }) => ({ name, weights: [weight] })),
      verdicts,
    };
    const next = nextStep(progress, look, plan, now);
    ({ progress } = next);
    const { step } = next;
    if (step.do === "raise") {
      ({ weight } = step);
      progress = phase("v2", weight, now);
      earlier = seen;
      seen = clusters.map(() => zero);
    } else if (step.do === "roll-back" || step.do === "end") {
      return {
        result: step.do === "end" ? step.end.result : "rolled-back",
        weight,
        minutes: now / 60_000,
        failed: verdicts.some(({ outcome }) => outcome === "fail"),
      };
    }
  }
}

/** Many rollouts, the same ones in every run. */
export function simulateMany(scenario: Scenario, runs: number): readonly Ending[] {
  const seed = randomLcg(0.42);
  return Array.from({ length: runs }, () => simulate(scenario, seed()));
}

/**
 * A mesh whose second cluster gets one request in twenty, so that the canary gets one in two hundred there
 * at 10 %.
 *
 * @param stable chance that a request of stable fails
 * @param canary chance that one of the canary fails, in the large cluster
 * @param small the same in the small one
 */
export function unevenMesh(
  requestsPerSecond: number,
  stable: number,
  canary: number,
  small = canary,
): Scenario {
  return {
    requestsPerSecond,
    clusters: [
      { name: "cluster-a", traffic: 0.95, failing: { stable, canary } },
      { name: "cluster-b", traffic: 0.05, failing: { stable, canary: small } },
    ],
  };
}
