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
  const { approval, at, gates, webhooks } = rollout;
  const own = [
    ...gates.queries.map(({ name }, i) => ({ name, path: `queries[${i}]` })),
    ...gates.web.map(({ name }, i) => ({ name, path: `web[${i}]` })),
  ];
  const on = [
    ...BUILT_IN_GATES.filter((name) => !gates.without.includes(name)),
    ...own.map(({ name }) => name),
  ];
  const limited = on.filter((name) => name !== "unreached" && name !== "share");
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
    ...at.flatMap(({ weight, gates: limits }, i) => [
      ...(phases && !phases.includes(weight)
        ? [
            {
              path: `rollout.at[${i}].weight`,
              value: weight,
              rule: `must be one of the phases ${phases.join(", ")}`,
              fix: "Name the phase that differs.",
            },
          ]
        : []),
      ...Object.keys(limits)
        .filter((name) => !limited.includes(name))
        .map((name) => ({
          path: `rollout.at[${i}].gates.${name}`,
          rule: `must be one of the enabled gates with limits: ${limited.join(", ")}`,
          fix: "Name the gate whose limits differ in this phase.",
        })),
    ]),
    ...duplicates(
      at,
      (i) => `rollout.at[${i}].weight`,
      ({ weight }) => String(weight),
      "must name each phase once",
      "Put all that differs in the phase into one entry.",
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
