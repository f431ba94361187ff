import { randomBinomial, randomLcg } from "d3-random";
import type { Count } from "../../release/gates/confidence.ts";
import type { BadCounts } from "../../release/gates/gate.ts";
import { pooledDecisions, pooledVerdict } from "../../release/gates/pooling.ts";
import { restarts } from "../../release/gates/restarts.ts";
import {
  confidenceOf,
  gatesOf,
  verdict,
  type Gate,
  type RecentCounts,
} from "../../release/gates/verdict.ts";
import { nextStep, phase, type RolloutPlan, type Progress } from "../../release/planner.ts";
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
  /** Whether clusters with few requests pass with those of all clusters: `rollout.gates.pool`. @default false */
  readonly pool?: boolean;
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
const plan: RolloutPlan = {
  phases,
  stack: "simulated",
  trialMs: undefined,
  bakeMs: durationMs(defaults.bake),
  maxFailures: defaults.maxFailures,
  noDataLimitMs: durationMs(defaults.noDataLimit),
  unreachableLimitMs: durationMs(defaults.unreachableLimit),
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

function minus(a: Count, b: Count): Count {
  return { hits: a.hits - b.hits, trials: a.trials - b.trials };
}

/** What has been counted since each time at which a sequence began that is looked at. */
function recentOf(
  seen: readonly BadCounts[],
  looks: number,
  stable: (counts: BadCounts) => Count = (counts) => counts.stable,
): readonly RecentCounts[] {
  const now = seen[looks];
  return restarts(looks * intervalMs).flatMap((recent) => {
    const then = seen[looks - (1000 * recent.seconds) / intervalMs];
    if (!now || !then) return [];
    const last = { canary: minus(now.canary, then.canary), stable: minus(now.stable, then.stable) };
    return [{ ...recent, counts: { ...last, stable: stable(last) } }];
  });
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
  const { clusters, pool = false } = scenario;
  const confidence = confidenceOf(defaults.gates, {
    phases: phases.length,
    clusters: pool ? pooledDecisions(clusters.length) : clusters.length,
    gates,
  });
  let weight = 0;
  let progress: Progress | undefined;
  let seen: readonly Counts[] = clusters.map(() => zero);
  /** What was seen at each look of the phase. */
  let looks: (readonly Counts[])[] = [seen];
  /** What stable got while the weight was below 100, to compare with at 100. */
  let earlier: readonly Counts[] = seen;
  /** What the clients saw before the first phase: everything arrived. */
  const quiet = clusters.map(({ traffic }): Counts => {
    const trials = Math.round((scenario.requestsPerSecond * traffic * plan.bakeMs) / 1000);
    return { ...zero, unreached: { canary: nothing, stable: { hits: 0, trials } } };
  });
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
      looks.push(seen);
    }
    const verdicts =
      weight === 0
        ? []
        : gates.flatMap((gate) => {
            const readings = clusters.map(({ name }, i) => {
              const own = countsOf(gate, seen[i] ?? zero);
              const before = countsOf(gate, earlier[i] ?? zero).stable;
              const stable =
                (weight === 100 && gate.kind === "bad") || gate.kind === "unreached"
                  ? () => before
                  : undefined;
              const all = looks.map((each) => countsOf(gate, each[i] ?? zero));
              return {
                cluster: name,
                service: "user/user-service",
                version: "v2",
                gate: gate.name,
                counts: { ...own, ...(stable && { stable: stable() }) },
                ...(gate.kind !== "share" && { recent: recentOf(all, all.length - 1, stable) }),
              };
            });
            return readings.map((reading) =>
              pool
                ? pooledVerdict(gate, reading, readings, weight, confidence)
                : verdict(gate, reading, weight, confidence),
            );
          });
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
      earlier = looks.length > 1 ? seen : quiet;
      seen = clusters.map(() => zero);
      looks = [seen];
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

/** A canary that has answered well for long, and then does not. */
export interface LateFault {
  /** Requests per second to the canary and to stable, in the one cluster that is judged. */
  readonly perSecond: { readonly canary: number; readonly stable: number };
  /** Chance that a request fails while all is well. */
  readonly well: { readonly canary: number; readonly stable: number };
  /** The canary's chance so many minutes after the fault began. @default it never begins */
  readonly fault?: (minutes: number) => number;
  /** How long all is well at least, and how long the fault is looked for, in minutes. */
  readonly goodMinutes: number;
  readonly watchedMinutes: number;
  /** Whether looks are judged while all is well, too. @default only after the fault began */
  readonly judgedWhileGood?: boolean;
}

/** The gate on failures with its default limits, as one of all decisions of a rollout over two clusters. */
const successRate = (() => {
  const gates = gatesOf(defaults.gates);
  const gate = gates.find(({ name }) => name === "successRate");
  if (!gate) throw new Error("there is no gate on failures");
  return { gate, confidence: confidenceOf(defaults.gates, { phases: 3, clusters: 2, gates }) };
})();

/** Minutes from the fault's begin to the look that fails, less than 0 if all was well; undefined if none fails. */
function simulateLate(
  { perSecond, well, fault, goodMinutes, watchedMinutes, judgedWhileGood = false }: LateFault,
  seed: number,
  risk: number,
): number | undefined {
  const random = randomLcg(seed);
  const binomial = randomBinomial.source(random) as unknown as Binomial;
  const minutesOf = (looks: number) => (looks * intervalMs) / 60_000;
  // It begins somewhere between two looks, and between the times at which sequences begin.
  const begin = goodMinutes + random() * 64;
  const failing = (at: number) => (fault && at > begin ? fault(at - begin) : well.canary);
  const seen: BadCounts[] = [{ canary: nothing, stable: nothing }];
  const draw = (perSecondOf: number, chance: number): Count => {
    const trials = Math.round((perSecondOf * intervalMs) / 1000);
    return { hits: binomial(trials, chance)(), trials };
  };
  const { gate, confidence } = successRate;
  for (let look = 1; minutesOf(look) <= begin + watchedMinutes; look += 1) {
    const parts = [1, 2, 3, 4, 5].map((part) => failing(minutesOf(look - 1 + (part - 0.5) / 5)));
    const chance = parts.reduce((sum, each) => sum + each, 0) / parts.length;
    const before = seen[look - 1] ?? { canary: nothing, stable: nothing };
    const now = {
      canary: plus(before.canary, draw(perSecond.canary, chance)),
      stable: plus(before.stable, draw(perSecond.stable, well.stable)),
    };
    seen.push(now);
    if (!judgedWhileGood && minutesOf(look) < begin) continue;
    const reading = { cluster: "cluster-a", service: "user/user-service", version: "v2" };
    const { outcome } = verdict(
      gate,
      { ...reading, gate: gate.name, counts: now, recent: recentOf(seen, look) },
      10,
      { ...confidence, risk },
    );
    if (outcome === "fail") return minutesOf(look) - begin;
  }
  return undefined;
}

/**
 * Many such canaries, the same ones in every run.
 *
 * @param risk of the gate. @default its part in a rollout with the default gates
 * @returns minutes after the fault in which each was stopped; undefined where it was not
 */
export function simulateLateMany(
  late: LateFault,
  runs: number,
  risk: number = successRate.confidence.risk,
): readonly (number | undefined)[] {
  const seed = randomLcg(0.42);
  return Array.from({ length: runs }, () => simulateLate(late, seed(), risk));
}
