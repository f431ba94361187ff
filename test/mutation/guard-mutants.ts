import type { Mutant } from "./mutants.ts";

const guard = ["test/unit/release/guard"];

/** What makes a guard safe. */
export const guardMutants: readonly Mutant[] = [
  {
    removes: "a guard acts on no other release than the one that has failed",
    file: "release/guard/decide.ts",
    text: "const own = before?.release === release ? before : undefined;",
    replacement: "const own = before;",
    tests: guard,
  },
  {
    removes: "a guard looks for another release right before it lowers",
    file: "release/guard/guard.ts",
    text: "if (!(await this.#isCurrent())) return;",
    replacement: "",
    tests: guard,
  },
  {
    removes: "a raise that was under way is no new beginning",
    file: "lib/verdict.ts",
    text: "phase.weight <= failed.weight",
    replacement: "phase.weight <= 100",
    tests: guard,
  },
  {
    removes: "a guard that is cut off holds until the limit",
    file: "release/guard/decide.ts",
    text: "now - memory.contactAt >= partitionLimitMs",
    replacement: "now - memory.contactAt >= 0",
    tests: guard,
  },
  {
    removes: "a gate that cannot be asked has not failed",
    file: "release/guard/guard.ts",
    text: 'return [{ outcome: "hold", blind: true,',
    replacement: 'return [{ outcome: "fail", blind: true,',
    tests: guard,
  },
  {
    removes: "a guard goes by what the API server has, and not by an older file",
    file: "release/commands/guard.ts",
    text: 'this.#newest = data?.[GUARD_FILE] ?? "";',
    replacement: "void data;",
    tests: ["test/unit/release/commands/guard.test.ts"],
  },
  {
    removes: "the guards know of the next release before a weight of it rises",
    file: "stacks/release.ts",
    text: "...(guards?.files ?? [])",
    replacement: "...(guards?.files ?? []).slice(99)",
    tests: ["test/unit/stacks/release-guard.test.ts"],
  },
  {
    removes: "no weight waits for a guard",
    file: "components/release-guard.ts",
    text: "after.then(() => [configuration, ...needs])",
    replacement: "Promise.resolve([configuration, ...needs])",
    tests: ["test/unit/stacks/release-guard.test.ts"],
  },
  {
    removes: "a rollout begins a canary anew that a guard has taken back only if it is told to",
    file: "release/planner.ts",
    text: "if (look.guards !== undefined) {",
    replacement: 'if (look.guards === "") {',
    tests: ["test/unit/release/planner.test.ts", "test/unit/release/rollout.test.ts"],
  },
];
