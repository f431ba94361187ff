import type { Mutant } from "./mutants.ts";

const names = ["test/unit/lib/version-name.test.ts"];
const routing = ["test/unit/lib/routing/istio/dotted-versions.test.ts"];

/** What keeps a version that is no DNS label apart from others, and found again. */
export const versionNameMutants: readonly Mutant[] = [
  {
    removes: "two versions that read alike have two names",
    file: "lib/version-name.ts",
    text: "-${digest}`;",
    replacement: "-${digest.slice(0, 1)}`;",
    tests: names,
  },
  {
    removes: "the canary is lowered whatever its subset is called",
    file: "lib/routing/istio/split.ts",
    text: "subset(entry) === name ? weight : 100 - weight",
    replacement: "subset(entry) === canary ? weight : 100 - weight",
    tests: routing,
  },
  {
    removes: "a version is known again by its subset in what an Envoy serves",
    file: "lib/routing/index.ts",
    text: "weights[versionName(version)] ?? 0",
    replacement: "weights[version] ?? 0",
    tests: routing,
  },
  {
    removes: "rules that were written ahead of Pulumi's labels tell the version that they name",
    file: "lib/routing/istio/route-content.ts",
    text: "labels?.[VERSION_LABELS.canary], ...known];",
    replacement: "labels?.[VERSION_LABELS.canary]];",
    tests: routing,
  },
  {
    removes: "a canary does not have stable's subset",
    file: "stacks/checks.ts",
    text: "canary !== stable && versionName(canary) === versionName(stable)",
    replacement: "false",
    tests: ["test/unit/stacks/config.test.ts"],
  },
];
