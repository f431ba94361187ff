import type { Mutant } from "./mutants.ts";

const raise = ["test/unit/fleet/raise-weights.test.ts"];
const lowered = ["test/unit/stacks/lowered-since.test.ts"];

/** What keeps a controller that applies old routes from leaving one cluster on its own. */
export const controllerMutants: readonly Mutant[] = [
  {
    removes: "a weight that was written over just after Envoys have confirmed is seen",
    file: "fleet/written-over.ts",
    text: "if (text !== undefined) throw new WrittenOver",
    replacement: "if (text === undefined) throw new WrittenOver",
    tests: raise,
  },
  {
    removes: "nobody waits for Envoys to serve what was written over",
    file: "fleet/written-over.ts",
    text: "      lost.then((text) => {",
    replacement: "      new Promise<string>(() => lost).then((text) => {",
    tests: raise,
  },
  {
    removes: "all clusters follow one that a controller has written over",
    file: "fleet/raise-weights.ts",
    text: 'if (result.state.step === "restored") await level',
    replacement: 'if (result.state.step === "refused") await level',
    tests: raise,
  },
  {
    removes: "a weight that is written over before Pulumi's write is lowered in all clusters",
    file: "stacks/lowered-since.ts",
    text: "      await this.#stopIfWrittenOver(route, now, canary, weight);\n",
    replacement: "",
    tests: lowered,
  },
  {
    removes: "a weight that is written over after Pulumi's write is lowered in all clusters",
    file: "stacks/lowered-since.ts",
    text: "await this.#stopIfWrittenOver(route, now, canary, wanted.weight);",
    replacement: "",
    tests: lowered,
  },
];
