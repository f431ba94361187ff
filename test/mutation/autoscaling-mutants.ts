import type { Mutant } from "./mutants.ts";

const checks = ["test/unit/fleet/checks.test.ts"];
const change = ["test/unit/stacks/weight-change.test.ts"];

/** What makes a release safe whose pods come and go by autoscalers. */
export const autoscalingMutants: readonly Mutant[] = [
  {
    removes: "a canary has the pods for the weight that it is about to get",
    file: "fleet/checks/canary-available.ts",
    text: "if (own < least.pods) return smallFindings",
    replacement: "if (own < 1) return smallFindings",
    tests: checks,
  },
  {
    removes: "an autoscaler must be allowed to make the pods that a canary lacks",
    file: "fleet/checks/enough-pods.ts",
    text: "if (max < least.pods) {",
    replacement: "if (max < 1) {",
    tests: checks,
  },
  {
    removes: "a canary that others have made has the pods for its next weight",
    file: "fleet/checks/existing-versions.ts",
    text: "|| pods.length >= least.pods) return [];",
    replacement: "|| pods.length >= 1) return [];",
    tests: checks,
  },
  {
    removes: "what a canary of others needs is measured by what stable had when it began",
    file: "fleet/checks/existing-versions.ts",
    text: "const all = needed?.get(cluster.name) ?? readyPodsOf",
    replacement: "const all = readyPodsOf",
    tests: checks,
  },
  {
    removes: "an autoscaler of the owner's counts for what it scales alone",
    file: "fleet/find-autoscaler.ts",
    text: "&& target.name === name;",
    replacement: '&& target.name !== "";',
    tests: checks,
  },
  {
    removes: "what stable of others has is noted when a canary begins",
    file: "stacks/autoscaling.ts",
    text: "return rises && needed === undefined && pods > 0",
    replacement: "return rises && needed === undefined && pods > 99",
    tests: change,
  },
  {
    removes: "it is told where the owner has left stable too few pods",
    file: "stacks/autoscaling.ts",
    text: "const pods = stablePods.get(route) ?? deployed",
    replacement: "const pods = deployed",
    tests: change,
  },
  {
    removes: "all pods that a canary's Deployment wants are available",
    file: "fleet/checks/canary-available.ts",
    text: "return available >= own\n",
    replacement: "return available >= 1\n",
    tests: checks,
  },
  {
    removes: "a Deployment keeps its count when Pulumi drops it",
    file: "stacks/count-hand-over.ts",
    text: "if (!autoscaling) return undefined;",
    replacement: "if (!autoscaling?.max) return undefined;",
    tests: ["test/unit/stacks/autoscaling.test.ts"],
  },
  {
    removes: "the hand-over forces no count that an autoscaler has just written",
    file: "fleet/hand-over-count.ts",
    text: "      MANAGER,\n      false,",
    replacement: "      MANAGER,\n      true,",
    tests: ["test/unit/fleet/hand-over-count.test.ts"],
  },
  {
    removes: "Pulumi never writes the count of a Deployment that an autoscaler scales",
    file: "components/canary-workload.ts",
    text: "...(args.autoscaling === undefined && { replicas: version.replicas ?? 5 }),",
    replacement: "replicas: version.replicas ?? 5,",
    tests: ["test/unit/components/canary-workload.test.ts"],
  },
  {
    removes: "what stable needs is what it had when the canary began",
    file: "lib/capacity.ts",
    text: "served > 0 && noted?.key === key",
    replacement: "served > 100 && noted?.key === key",
    tests: ["test/unit/lib/capacity.test.ts"],
  },
  {
    removes: "stable's autoscaler keeps what all requests need",
    file: "stacks/autoscaling.ts",
    text: ": { stable: pods, canary: podsFor(pods, weight) };",
    replacement: ": { canary: podsFor(pods, weight) };",
    tests: ["test/unit/stacks/autoscaling.test.ts"],
  },
  {
    removes: "no configuration leaves stable too few pods while the canary serves",
    file: "stacks/weight-change.ts",
    text: "...shrinkProblems(plan, settings.allow),",
    replacement: "",
    tests: change,
  },
  {
    removes: "what all requests need is noted before a canary begins",
    file: "stacks/weight-change.ts",
    text: "    await change.#noteNeeded(counted(plan, stablePods));\n",
    replacement: "",
    tests: change,
  },
];
