import type { Mutant } from "./mutants.ts";

const decision = ["test/unit/lib/taken-back.test.ts"];
const change = ["test/unit/stacks/weight-change.test.ts"];

/** What keeps an update from bringing a canary back that was taken back. */
export const takenBackMutants: readonly Mutant[] = [
  {
    removes: "what a guard says counts in the next update",
    file: "lib/taken-back.ts",
    text: "guardsVerdict(guards, release, progress, forgivenIn(found)) ??",
    replacement: "",
    tests: decision,
  },
  {
    removes: "what a rollout has rolled back stays so in the next update",
    file: "lib/taken-back.ts",
    text: "rolloutsVerdict(progress, release, isZero) ??",
    replacement: "",
    tests: decision,
  },
  {
    removes: "what somebody has lowered by hand stays so in the next update",
    file: "lib/taken-back.ts",
    text: "loweredByHand(served, wanted);",
    replacement: "undefined;",
    tests: decision,
  },
  {
    removes: "a canary that was taken back has what it has in the cluster with the least",
    file: "lib/taken-back.ts",
    text: "Math.min(...served.map(",
    replacement: "Math.max(...served.map(",
    tests: decision,
  },
  {
    removes: "a journal that cannot be read brings no canary back",
    file: "lib/taken-back.ts",
    text: "(noted > 0 ? noted : highest)",
    replacement: "noted",
    tests: decision,
  },
  {
    removes: "a lower weight is in force, though the canary was taken back elsewhere",
    file: "lib/taken-back.ts",
    text: "unchanged || lowers",
    replacement: "unchanged",
    tests: decision,
  },
  {
    removes: "an older program raises nothing",
    file: "lib/taken-back.ts",
    text: "if (newer.length > 0) {",
    replacement: "if (newer.length > 99) {",
    tests: decision,
  },
  {
    removes: "what is forgiven once is not forgiven the next time",
    file: "lib/verdict.ts",
    text: "forgiven.includes(failureId(note))",
    replacement: "forgiven.length > 0",
    tests: [...decision, "test/unit/release/guard"],
  },
  {
    removes: "the plan has the weight that is kept",
    file: "stacks/release-plan.ts",
    text: 'decision.do === "keep" ? decision.weight : configured.weight',
    replacement: "configured.weight",
    tests: change,
  },
  {
    removes: "a raise that is refused is a problem of the config",
    file: "stacks/release-plan.ts",
    text: 'decision.do === "refuse" ? [decision.problem, ...problems] : problems',
    replacement: "problems",
    tests: change,
  },
  {
    removes: "the whole program goes by the weight that is kept",
    file: "stacks/program.ts",
    text: "weight: change.plan.weight",
    replacement: "weight: configured.weight",
    tests: ["test/unit/stacks/index.test.ts"],
  },
  {
    removes: "guards forget before a weight rises",
    file: "stacks/weight-change.ts",
    text: "if (this.plan.forgives.length > 0) {",
    replacement: "if (this.plan.forgives.length > 99) {",
    tests: change,
  },
  {
    removes: "an update that is not complete notes no config",
    file: "stacks/left-out.ts",
    text: "if (stay.length > 0) throw new pulumi.RunError(incompleteText(stay));",
    replacement: "",
    tests: change,
  },
  {
    removes: "an update whose VirtualServices are not made notes no config",
    file: "stacks/weight-change.ts",
    text: "if (areMade.every(Boolean) && !hasFailed()) await",
    replacement: "await",
    tests: change,
  },
  {
    removes: "a rise that was not carried out is none",
    file: "release/update-weight.ts",
    text: "if (inForce !== weight) throw",
    replacement: "if (inForce === undefined) throw",
    tests: ["test/unit/release/update-weight.test.ts"],
  },
  {
    removes: "a canary is tried again once",
    file: "release/stack.ts",
    text: "this.#retries = false;",
    replacement: "",
    tests: ["test/unit/release/stack.test.ts"],
  },
  {
    removes: "what release zero has lowered stays low beside a cluster that was away",
    file: "lib/taken-back.ts",
    text: "    zeroed(served, wanted) ??\n",
    replacement: "",
    tests: ["test/unit/lib/taken-back.test.ts"],
  },
  {
    removes: "release zero counts only since the last complete update",
    file: "lib/journal.ts",
    text: "data.at > update.at",
    replacement: "data.at > 0",
    tests: ["test/unit/lib/taken-back.test.ts"],
  },
];
