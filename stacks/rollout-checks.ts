import type { Problem } from "../lib/problems.ts";
import { duplicates } from "./checks.ts";
import type { Rollout } from "./schema.ts";
import { BUILT_IN_GATES } from "./schema/gates.ts";

/** Rules that span several keys of `rollout`, or these and the phases. */
export function rolloutProblems(
  rollout: Rollout | undefined,
  phases: readonly number[] | undefined,
): Problem[] {
  if (!rollout) return [];
  const { approval, gates, webhooks } = rollout;
  const own = [
    ...gates.queries.map(({ name }, i) => ({ name, path: `queries[${i}]` })),
    ...gates.web.map(({ name }, i) => ({ name, path: `web[${i}]` })),
  ];
  const on = [
    ...BUILT_IN_GATES.filter((name) => !gates.without.includes(name)),
    ...own.map(({ name }) => name),
  ];
  return [
    ...approval.flatMap((weight, i) =>
      phases && !phases.includes(weight)
        ? [
            {
              path: `rollout.approval[${i}]`,
              value: weight,
              rule: `must be one of the phases ${phases.join(", ")}`,
              fix: "Name the weights that need somebody's approval.",
            },
          ]
        : [],
    ),
    ...gates.dryRun.flatMap((name, i) =>
      on.includes(name)
        ? []
        : [
            {
              path: `rollout.gates.dryRun[${i}]`,
              value: name,
              rule: `must be one of the enabled gates: ${on.join(", ")}`,
              fix: "Name the gates that are shown but do not decide.",
            },
          ],
    ),
    ...duplicates(
      own,
      (i) => `rollout.gates.${own[i]?.path ?? ""}.name`,
      ({ name }) => name,
      "must name each gate once",
      "Give the gate another name.",
    ),
    ...duplicates(
      webhooks,
      (i) => `rollout.webhooks[${i}].name`,
      ({ name }) => name,
      "must name each webhook once",
      "Give the webhook another name.",
    ),
  ];
}
