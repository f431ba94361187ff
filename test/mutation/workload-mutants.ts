import type { Mutant } from "./mutants.ts";

const rules = ["test/unit/lib/rebuilt.test.ts"];
const release = ["test/unit/stacks/rebuilt.test.ts"];

/** What keeps a version that serves requests as it is. */
export const workloadMutants: readonly Mutant[] = [
  {
    removes: "a version that serves as stable keeps what its pods are made of",
    file: "lib/release-rules.ts",
    text: '...rebuiltProblems(known, wanted, "stable", stable, POD_KEYS, replaceFix),',
    replacement: "",
    tests: rules,
  },
  {
    removes: "a canary that serves keeps its configuration, not its image alone",
    file: "lib/release-rules.ts",
    text: 'POD_KEYS.filter((each) => each !== "image"),',
    replacement: "[],",
    tests: rules,
  },
  {
    removes: "stable's pods are rolled in one cluster after the other",
    file: "stacks/release.ts",
    text: "isRolled ? (workloads.at(-1)?.deployments ?? []) : []",
    replacement: "[]",
    tests: release,
  },
  {
    removes: "what somebody else has written is no change of the configuration",
    file: "fleet/read-pods.ts",
    text: "templates.length === 0 || templates.some(",
    replacement: "templates.length >= 0 || templates.some(",
    tests: ["test/unit/fleet/read-pods.test.ts"],
  },
  {
    removes: "port, healthPath, metrics and user of pods that serve requests stay",
    file: "lib/release-rules.ts",
    text: "  ...SHAPE_KEYS,\n  ...CONFIG_PARTS,\n] as const",
    replacement: "  ...CONFIG_PARTS,\n] as const",
    tests: rules,
  },
  {
    removes: "no exception moves the Service away from the pods that run",
    file: "lib/release-rules.ts",
    text: '...rebuiltProblems(known, wanted, "stable", stable, PORT_KEYS, PORT_FIX),',
    replacement: "",
    tests: rules,
  },
  {
    removes: "another template rolls no pods that serve requests unseen",
    file: "lib/pods.ts",
    text: 'deployed.template !== wanted.template ? [{ key: "template" as const }] : []',
    replacement: "[]",
    tests: ["test/unit/lib/pods.test.ts"],
  },
];
