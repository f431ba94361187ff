import { bakeAt, decides, oneMoreFailure, type RolloutPlan } from "../planner.ts";
import { timeOfDay } from "../report/format.ts";
import { failingIn } from "./headline.ts";
import type { ReleaseStatus } from "./release-status.ts";

/**
 * What a rollout does next, and when, if all stays as it is.
 *
 * @param intervalMs between two looks
 * @param now in milliseconds since 1970
 * @returns undefined if no command drives one, or it is on its way back
 */
export function whatNext(
  { progress, watch, paused, verdicts }: Omit<ReleaseStatus, "next">,
  plan: RolloutPlan,
  intervalMs: number,
  now: number,
): string | undefined {
  if (!progress || progress.end || progress.rollingBack !== undefined) return undefined;
  if (!watch || watch.stale) return undefined;
  const { stack, phases, approval, maxFailures } = plan;
  const left = Math.max(0, Math.ceil((Date.parse(watch.at) + intervalMs - now) / 1000));
  const nextLook = `at the next look, ${left === 0 ? "due now" : `in ${left} s`}`;
  if (failingIn(verdicts).length > 0) {
    const { tooMany } = oneMoreFailure(progress.failures, maxFailures);
    const most = `the rollout tolerates ${maxFailures.consecutive} in a row, ${maxFailures.total} in a phase`;
    return `back to 0 % in every cluster ${tooMany ? `${nextLook}, if a gate fails then` : `if looks go on to fail: ${most}`}. To do so at once: npm run release -- rollback --stack ${stack} --to zero`;
  }
  if (paused !== undefined) return `nothing, until npm run release -- resume --stack ${stack}`;
  const { weight, since } = progress;
  const next = phases.find((each) => each > weight);
  const due = since + bakeAt(plan, weight);
  const what =
    next === undefined
      ? "done"
      : `${next} %${next === phases.at(-1) ? ", the last phase," : ""} in every cluster`;
  if (next !== undefined && approval.includes(next)) {
    return `${what} once somebody approves: npm run release -- promote --stack ${stack}`;
  }
  if (due > now) return `${what} at ${timeOfDay(due)} UTC or later, if all gates pass then`;
  const waits = verdicts.find((each) => decides(each) && each.outcome === "hold");
  return waits ? `${what}, once this gate can tell: ${waits.text}` : `${what} ${nextLook}`;
}
