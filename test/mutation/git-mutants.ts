import type { Mutant } from "./mutants.ts";

const command = ["test/unit/release/commands/weight.test.ts"];
const decision = ["test/unit/release/held-weight.test.ts"];

/** What keeps git and the clusters from undoing each other. */
export const gitMutants: readonly Mutant[] = [
  {
    removes: "a change that sets the weight is carried out whatever a rollout holds",
    file: "release/held-weight.ts",
    text: "if (before && before.weight !== config) {",
    replacement: "if (before && before.weight !== before.weight) {",
    tests: decision,
  },
  {
    removes: "only a rollout of the same canaries holds a weight",
    file: "release/held-weight.ts",
    text: "if (progress?.release !== release) return own",
    replacement: "if (progress === undefined) return own",
    tests: decision,
  },
  {
    removes: "clusters that differ hold no weight",
    file: "release/held-weight.ts",
    text: "if (more.length > 0) {",
    replacement: "if (more.length > 9) {",
    tests: decision,
  },
  {
    removes: "what is left of a canary that was taken back holds no weight",
    file: "release/held-weight.ts",
    text: 'if (end?.result === "rolled-back" || rollingBack !== undefined) {',
    replacement: 'if (end?.result === "rolled-back" && rollingBack !== undefined) {',
    tests: decision,
  },
  {
    removes: "a weight that the change lowers waits for no cluster",
    file: "release/commands/weight.ts",
    text: "...(before && before.weight !== settings.weight ? NOTHING : await inClusters(release)),",
    replacement: "...(await inClusters(release)),",
    tests: command,
  },
  {
    removes: "no weight is held that not every cluster has told",
    file: "release/commands/weight.ts",
    text: "if (away.length > 0) {",
    replacement: "if (away.length > 9) {",
    tests: command,
  },
];
