import type { Mutant } from "./mutants.ts";

const digests = ["test/unit/lib/version-config.test.ts"];
const component = ["test/unit/components/version-config.test.ts"];

/** What keeps a version's files and secrets apart from others', and secrets secret. */
export const versionConfigMutants: readonly Mutant[] = [
  {
    removes: "nobody can try a secret's value by its digest",
    file: "lib/version-config.ts",
    text: 'return createHmac("sha256", key);',
    replacement: 'return createHash("sha256");',
    tests: digests,
  },
  {
    removes: "pods wait for what they read",
    file: "components/canary-workload.ts",
    text: "[account, ...(config?.objects ?? [])]",
    replacement: "[account]",
    tests: component,
  },
  {
    removes: "other files or secrets roll no pods that serve requests unseen",
    file: "lib/pods.ts",
    text: "deployed[part] !== wanted[part]",
    replacement: "false",
    tests: ["test/unit/lib/rebuilt.test.ts"],
  },
  {
    removes: "a canary with other secrets of its own is another release",
    file: "stacks/judged.ts",
    text: "...(hasConfig ? [digests] : []),",
    replacement: "",
    tests: ["test/unit/stacks/version-config.test.ts"],
  },
  {
    removes: "no name of a Secret is made without a key",
    file: "stacks/version-config-checks.ts",
    text: "uses && !hasKey",
    replacement: "false",
    tests: ["test/unit/stacks/version-config.test.ts"],
  },
];
