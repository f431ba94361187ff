import type { Mutant } from "./mutants.ts";

const tests = ["test/unit/stacks/required-stack.test.ts"];

/** What keeps a version out of a stack that another one has not released. */
export const requiresMutants: readonly Mutant[] = [
  {
    removes: "a canary begins only after the required stack has given it all requests",
    file: "stacks/required-stack.ts",
    text: "there?.canary?.weight === 100 &&",
    replacement: "there?.canary !== undefined &&",
    tests,
  },
  {
    removes: "the required stack must have released the same image",
    file: "stacks/required-stack.ts",
    text: "other?.version === version && other.image === image;",
    replacement: "other?.version === version;",
    tests,
  },
  {
    removes: "a weight that falls or goes on rising waits for no other stack",
    file: "stacks/required-stack.ts",
    text: "if (beginning.length === 0) return [];",
    replacement: "if (beginning.length === 0) beginning.push(...routes.map(({ key }) => key));",
    tests,
  },
  {
    removes: "a stack that cannot be read has released nothing",
    file: "stacks/required-stack.ts",
    text: 'typeof there === "string" || !hasReleased',
    replacement: 'typeof there !== "string" && !hasReleased',
    tests,
  },
];
