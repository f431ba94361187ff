import { bakeAt, oneMoreFailure, type RolloutPlan } from "../planner.ts";
import { timeOfDay } from "../report/format.ts";
import { failingIn } from "./headline.ts";
import type { ReleaseStatus } from "./release-status.ts";

/**
 * What a rollout does next, and when, if all stays as it is.
 *
 * @param now in milliseconds since 1970
 * @returns undefined if no command drives one, or it is on its way back
 */
export function whatNext(
  { progress, watch, paused, verdicts }: Omit<ReleaseStatus, "next">,
  plan: RolloutPlan,
  now: number,
): string | undefined {
  if (!progress || progress.end || progress.rollingBack !== undefined) return undefined;
  if (!watch || watch.stale) return undefined;
  const { stack, phases, approval, maxFailures } = plan;
  if (failingIn(verdicts).length > 0) {
    const { tooMany } = oneMoreFailure(progress.failures, maxFailures);
    const most = `the rollout tolerates ${maxFailures.consecutive} in a row, ${maxFailures.total} in a phase`;
    return `back to 0 % in every cluster ${tooMany ? "at the next look" : `if looks go on to fail: ${most}`}; at once: npm run release -- rollback --stack ${stack} --to zero`;
  }
  if (paused !== undefined) return `nothing, until npm run release -- resume --stack ${stack}`;
  const { weight, since } = progress;
  const next = phases.find((each) => each > weight);
  const due = since + bakeAt(plan, weight);
  const when = due > now ? ` at ${timeOfDay(due)} UTC or later` : "";
  if (next === undefined) return `done${when}, once all gates pass`;
  return approval.includes(next)
    ? `${next} % in every cluster once somebody approves: npm run release -- promote --stack ${stack}`
    : `${next} % in every cluster${when}, once all gates pass`;
}
