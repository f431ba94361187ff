import type { Mutant } from "./mutants.ts";

const adoption = ["test/unit/stacks/adopted-objects.test.ts"];
const adopt = ["test/unit/release/commands/adopt.test.ts"];
const eject = ["test/unit/release/commands/eject.test.ts"];
const state = ["test/unit/release/eject-state.test.ts"];

/** What makes it safe to take services over, and to hand them back. */
export const handOverMutants: readonly Mutant[] = [
  {
    removes: "the program's own objects are imported where the state was lost",
    file: "stacks/adopted-objects.ts",
    text: "return idIn(this.#own, cluster, object);",
    replacement: "return undefined;",
    tests: adoption,
  },
  {
    removes: "no routes are taken from another stack",
    file: "stacks/adopted-objects.ts",
    text: "unread.push(...stacks.map((other) => ofStack(route, cluster.name, other)));",
    replacement: "",
    tests: adoption,
  },
  {
    removes: "what a controller of Argo Rollouts writes is not adopted",
    file: "fleet/routing/istio/adoptable.ts",
    text: "...(rollout === undefined",
    replacement: "...(rollout !== undefined || true",
    tests: adoption,
  },
  {
    removes: "release adopt takes nothing that an update would refuse",
    file: "release/adopt/check.ts",
    text: "reasons[i]?.length === 0 ? [proposal] : []",
    replacement: "[proposal]",
    tests: adopt,
  },
  {
    removes: "release adopt writes over no file",
    file: "release/commands/adopt.ts",
    text: "  if (file) {",
    replacement: "  if (file && false) {",
    tests: adopt,
  },
  {
    removes: "release adopt keeps requests without a time limit",
    file: "release/adopt/proposal.ts",
    text: "timeout: said.timeout,",
    replacement: 'timeout: "10s",',
    tests: adopt,
  },
  {
    removes: "release eject hands no canary back that has a part of the requests",
    file: "release/commands/eject.ts",
    text: ".filter(({ weight }) => weight < 100)",
    replacement: ".filter(() => false)",
    tests: eject,
  },
  {
    removes: "release adopt lets nothing that it quotes end a comment of the config file",
    file: "release/adopt/stack-text.ts",
    text: "[\\p{Cc}\\u2028\\u2029]+",
    replacement: "\\n",
    tests: adopt,
  },
  {
    removes: "release eject writes no Secret into a file",
    file: "release/eject/manifests.ts",
    text: 'return kind === "Secret";',
    replacement: "return kind.length < 0;",
    tests: eject,
  },
  {
    removes: "release eject keeps rules for testers away from paths that were handed back",
    file: "release/commands/eject.ts",
    text: "ingressPathsOfOthers: [...paths, ...ingressPathsOfOthers]",
    replacement: "ingressPathsOfOthers",
    tests: eject,
  },
  {
    removes: "release eject leads no host that was handed back to the service that is left",
    file: "release/commands/eject.ts",
    text: "    ingressHosts,\n    ...(ingressPaths === undefined &&",
    replacement: "    ...(ingressPaths === undefined &&",
    tests: eject,
  },
  {
    removes: "release eject waits for no rollout",
    file: "release/commands/eject.ts",
    text: "await lease.take();",
    replacement: "",
    tests: eject,
  },
  {
    removes: "release eject takes its marks off in all clusters or in none",
    file: "release/commands/eject.ts",
    text: "if (failed.length > 0) throw refusal([...failed, ...(await undo())]);",
    replacement: "if (failed.length > 0) throw refusal(failed);",
    tests: eject,
  },
  {
    removes: "release eject does not write over what another update has done",
    file: "release/commands/eject.ts",
    text: "if (!isDeepStrictEqual(await stack.exportState(), state)) {",
    replacement: "if (state === undefined) {",
    tests: eject,
  },
  {
    removes: "release eject leaves a state that names nothing which it does not have",
    file: "release/eject/state.ts",
    text: "list.filter((urn) => !gone.has(urn))",
    replacement: "list.filter(() => true)",
    tests: state,
  },
  {
    removes: "release eject touches no state of an update that was interrupted",
    file: "release/eject/state.ts",
    text: "if ((pending ?? []).length > 0) {",
    replacement: "if ((pending ?? []).length > 99) {",
    tests: state,
  },
];
