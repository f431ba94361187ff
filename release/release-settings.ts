import { brief } from "../lib/brief.ts";
import { durationMs } from "../lib/duration.ts";
import { canariesIn } from "../lib/release-name.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import type { RolloutPlan } from "./planner.ts";
import type { ReleaseStack } from "./stack.ts";

export { judgedServices, releaseName } from "../stacks/judged.ts";

/** The stack's configuration, which must be right. */
export function settingsOf(
  stack: Pick<ReleaseStack, "name" | "release" | "settings">,
): ReleaseSettings {
  const found = stack.settings(stack.release);
  if ("problems" in found) {
    throw new Error(
      [`The configuration of stack ${stack.name} is invalid:`, ...found.problems].join("\n"),
    );
  }
  return found.settings;
}

/** The name of a release for people, who are told how many services there are instead of all of them. */
export function briefRelease(name: string): string {
  return brief(canariesIn(name));
}

/** How the configuration wants a rollout to go. */
export function planOf({ phases, rollout }: ReleaseSettings, stack: string): RolloutPlan {
  const { trial, bake, at, noDataLimit, unreachableLimit, maxFailures, webhooks } = rollout;
  const has = (when: string) => webhooks.some((webhook) => webhook.when === when);
  return {
    phases,
    stack,
    trialMs: trial === undefined ? undefined : durationMs(trial),
    bakeMs: durationMs(bake),
    bakesMs: new Map(
      at.flatMap((each) =>
        each.bake === undefined ? [] : [[each.weight, durationMs(each.bake)] as const],
      ),
    ),
    noDataLimitMs: durationMs(noDataLimit),
    unreachableLimitMs: durationMs(unreachableLimit),
    maxFailures,
    approval: phases.filter(
      (weight) =>
        at.find((each) => each.weight === weight)?.approval ?? rollout.approval.includes(weight),
    ),
    asks: { before: has("before"), confirm: has("confirm") },
  };
}
