import type { Mutant } from "./mutants.ts";

const tests = ["test/unit/fleet/left-out.test.ts", "test/unit/lib/who-counts.test.ts"];
const enough = "fleet/enough.ts";

/** What makes it safe to leave proxies out of a confirmation. */
export const leftOutMutants: readonly Mutant[] = [
  {
    removes: "a gateway is never left out as one of a percentage",
    file: enough,
    text: "if (gateways.length > 0) {",
    replacement: "if (gateways.length > 9) {",
    tests,
  },
  {
    removes: "only proxies that a change concerns count for a percentage",
    file: enough,
    text: "confirmations.filter(({ holds }) => holds.some(Boolean)).length + acknowledged",
    replacement: "confirmations.length + acknowledged",
    tests,
  },
  {
    removes: "no more proxies are left out than the percentage says",
    file: enough,
    text: "if (late.length > mayMiss(percent, counted)) {",
    replacement: "if (percent === 100 && late.length > mayMiss(percent, counted)) {",
    tests,
  },
  {
    removes: "a percentage leaves no cluster in which nobody has shown the weight",
    file: enough,
    text: "const unseen = services.filter((_, i) => !isShown(round, i));\n  return unseen.length === 0\n    ? undefined",
    replacement:
      "const unseen = services.filter((_, i) => !isShown(round, i));\n  return unseen.length < 9\n    ? undefined",
    tests,
  },
  {
    removes: "lost nodes leave no cluster in which nobody has shown the weight",
    file: enough,
    text: "const unseen = services.filter((_, i) => !isShown(round, i));\n  return unseen.length === 0\n    ? []",
    replacement:
      "const unseen = services.filter((_, i) => !isShown(round, i));\n  return unseen.length < 9\n    ? []",
    tests,
  },
  {
    removes: "gateways cannot be excluded, and count on lost nodes",
    file: "fleet/left-out.ts",
    text: 'if (!isSidecar(pod)) return "counted";',
    replacement: "",
    tests,
  },
  {
    removes: "all count where requests fail at those that are left out",
    file: "lib/who-counts.ts",
    text: "return { percent: 100, exclude, lost: true };",
    replacement: "return { percent: 50, exclude, lost: false };",
    tests,
  },
  {
    removes: "a pod that is not ready by itself is not taken for one on a lost node",
    file: "fleet/left-out.ts",
    text: 'is("ContainersReady") === "True" &&',
    replacement: "",
    tests,
  },
  {
    removes: "a percentage of proxies is rounded in favour of confirmation",
    file: "lib/who-counts.ts",
    text: "Math.ceil(",
    replacement: "Math.floor(",
    tests,
  },
  {
    removes: "no proxy that would send requests nowhere is left out before a rise",
    file: "fleet/checks/subsets.ts",
    text: "if (!fails && notEnough(",
    replacement: "if (notEnough(",
    tests,
  },
  {
    removes: "who excludes all sidecars of a service is told",
    file: "fleet/excluded-sidecars.ts",
    text: "none > 0 && ofService(counted, i).length === 0",
    replacement: "none < 0 && ofService(counted, i).length === 0",
    tests: ["test/unit/stacks/excluded-sidecars.test.ts"],
  },
  {
    removes: "who leaves only gateways to confirm is told",
    file: "stacks/excluded-sidecars.ts",
    text: "if (of.excluded > 0 && of.counted === 0) {",
    replacement: "if (of.excluded < 0) {",
    tests: ["test/unit/stacks/excluded-sidecars.test.ts"],
  },
  {
    removes: "an update tells that only gateways confirm",
    file: "stacks/weight-change.ts",
    text: "for (const warning of excluded) await pulumi.log.warn(warning);",
    replacement: "",
    tests: ["test/unit/stacks/weight-change.test.ts"],
  },
];
