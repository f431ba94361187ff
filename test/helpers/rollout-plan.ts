import type { RolloutPlan } from "../../release/planner.ts";

const MINUTE = 60_000;

/** The plan of a rollout in three phases that forgives no failed look and asks nobody. */
export function rolloutPlan(more: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    phases: [10, 30, 100],
    stack: "prod",
    trialMs: undefined,
    bakeMs: 10 * MINUTE,
    maxFailures: { consecutive: 0, total: 0 },
    noDataLimitMs: 30 * MINUTE,
    unreachableLimitMs: 5 * MINUTE,
    approval: [],
    asks: { before: false, confirm: false },
    ...more,
  };
}
