import { describe, expect, it } from "vitest";
import { phase, type RolloutPlan } from "../../../../release/planner.ts";
import type { ReleaseStatus } from "../../../../release/status/release-status.ts";
import { whatNext } from "../../../../release/status/what-next.ts";
import { lookOf } from "../../../helpers/simulated-look.ts";

const T0 = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;
const plan: RolloutPlan = {
  ...{ stack: "prod", phases: [10, 30, 100], approval: [], trialMs: 2 * MINUTE },
  ...{ bakeMs: 10 * MINUTE, bakesMs: new Map([[30, 20 * MINUTE]]) },
  ...{ maxFailures: { consecutive: 1, total: 3 }, noDataLimitMs: 0, unreachableLimitMs: 0 },
  asks: { before: false, confirm: false },
};
const { watch, verdicts: failing } = lookOf("bad").status;

/** One minute after the phase has begun, 4 s after a look. */
function next(
  weight: number,
  more: Partial<ReleaseStatus> = {},
  { failures = { consecutive: 0, total: 0 }, of = plan, after = MINUTE, sinceLook = 4_000 } = {},
): string | undefined {
  const progress = { ...phase("user/user-service v2", weight, T0), failures };
  const now = T0 + after;
  const seen = watch && { ...watch, at: new Date(now - sinceLook).toISOString() };
  const status = { ...lookOf("good").status, progress, watch: seen, verdicts: [], ...more };
  return whatNext(status as ReleaseStatus, of, MINUTE / 2, now);
}

describe("what a rollout does next", () => {
  it.each<[number, string]>([
    [0, "10 % in every cluster at 12:02:00 UTC or later, if all gates pass then"],
    [10, "30 % in every cluster at 12:10:00 UTC or later, if all gates pass then"],
    [
      30,
      "100 %, the last phase, in every cluster at 12:20:00 UTC or later, if all gates pass then",
    ],
    [100, "done at 12:10:00 UTC or later, if all gates pass then"],
  ])("is the next phase, after the bake time of %i %", (weight, text) => {
    expect(next(weight)).toBe(text);
  });

  it("comes at the next look where the bake time is over, or names the gate that it waits for", () => {
    const after = 11 * MINUTE;
    expect(next(10, {}, { after })).toBe("30 % in every cluster at the next look, in 26 s");
    expect(next(10, {}, { after, sinceLook: MINUTE })).toBe(
      "30 % in every cluster at the next look, due now",
    );
    const verdicts = failing.map((each) => ({
      ...each,
      outcome: "hold" as const,
      text: "too few",
    }));
    expect(next(10, { verdicts }, { after })).toBe(
      "30 % in every cluster, once this gate can tell: too few",
    );
  });

  it("waits for approval where a person raises", () => {
    expect(next(10, {}, { of: { ...plan, approval: [30] } })).toBe(
      "30 % in every cluster once somebody approves: npm run release -- promote --stack prod",
    );
  });

  it("is nothing while it is paused", () => {
    expect(next(10, { paused: "paused by ann" })).toBe(
      "nothing, until npm run release -- resume --stack prod",
    );
  });

  it("is the way back while a gate fails, paused or not", () => {
    const atOnce = "To do so at once: npm run release -- rollback --stack prod --to zero";
    expect(next(10, { verdicts: failing, paused: "paused by ann" })).toBe(
      `back to 0 % in every cluster if looks go on to fail: the rollout tolerates 1 in a row, 3 in a phase. ${atOnce}`,
    );
    const failures = { consecutive: 1, total: 1 };
    expect(next(10, { verdicts: failing }, { failures })).toBe(
      `back to 0 % in every cluster at the next look, in 26 s, if a gate fails then. ${atOnce}`,
    );
  });

  it("is not known where no command drives it, or it has ended or goes back", () => {
    const { progress } = lookOf("good").status;
    if (!progress || !watch) throw new Error("the simulated rollout does not run");
    const end = { result: "done", reason: "all phases have passed" } as const;
    expect(next(10, { watch: { ...watch, stale: true } })).toBeUndefined();
    expect(next(10, { progress: { ...progress, end } })).toBeUndefined();
    expect(next(10, { progress: { ...progress, rollingBack: "bad" } })).toBeUndefined();
  });
});
