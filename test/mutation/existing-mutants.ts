import type { Mutant } from "./mutants.ts";

const stacks = ["test/unit/stacks/existing-workloads.test.ts"];
const claims = ["test/unit/fleet/routing/istio/read-routing.test.ts"];
const adoption = ["test/unit/stacks/adopted-objects.test.ts"];
const rules = ["test/unit/lib/existing.test.ts"];

/** What makes a release safe whose pods others have made. */
export const existingMutants: readonly Mutant[] = [
  {
    removes: "no route leads a TCP port to a subset that a proxy lacks",
    file: "fleet/checks/subsets.ts",
    text: "canary.tcpPorts?.includes(port) === true",
    replacement: "canary.tcpPorts?.includes(-1) === true",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "rules of others are adopted only if no request notices",
    file: "stacks/existing-workloads.ts",
    text: "...(adopted?.problems ?? []),",
    replacement: "",
    tests: adoption,
  },
  {
    removes: "the weight of others' rules is not lowered before they are adopted",
    file: "stacks/release-plan.ts",
    text: "!isForeign(service, now) && isToFall(now, here)",
    replacement: "isToFall(now, here)",
    tests: adoption,
  },
  {
    removes: "a rule's limits count when it is adopted",
    file: "lib/routing/istio/adoption.ts",
    text: 'timeout: limit === undefined ? "none" : `${limit}ms`,',
    replacement: "",
    tests: ["test/unit/lib/routing/istio/adoption.test.ts"],
  },
  {
    removes: "no weight rises to a version of others that a cluster lacks, in the preview",
    file: "stacks/existing-workloads.ts",
    text: "canary: wanted.weight > 0,",
    replacement: "canary: false,",
    tests: stacks,
  },
  {
    removes: "no route names a stable version of others that a cluster lacks",
    file: "stacks/existing-workloads.ts",
    text: "stable: isRise || wanted.weight < 100,",
    replacement: "stable: isRise,",
    tests: stacks,
  },
  {
    removes: "a canary of others stays while its pods would get requests without it",
    file: "stacks/existing-workloads.ts",
    text: "if (others.length === 0) return [];",
    replacement: "if (others.length < 99) return [];",
    tests: stacks,
  },
  {
    removes: "nothing that others lack keeps a weight from falling",
    file: "stacks/existing-workloads.ts",
    text: "return plan.routes.some(({ falls }) => falls)",
    replacement: "return plan.routes.length === 0",
    tests: stacks,
  },
  {
    removes: "a lower weight lets no pods go, and adopts nothing",
    file: "stacks/existing-workloads.ts",
    text: "{ problems: harm, warnings: [...problems, ...warnings], stablePods }",
    replacement: "{ problems: [], warnings: [...harm, ...problems, ...warnings], stablePods }",
    tests: stacks,
  },
  {
    removes:
      "a service that this program makes does not become an existing one, which removes its pods",
    file: "stacks/existing-workloads.ts",
    text: "return deployed && adopted",
    replacement: "return deployed?.existing && adopted",
    tests: stacks,
  },
  {
    removes: "no route names a version of others that an Envoy does not know yet",
    file: "stacks/weight-change.ts",
    text: "if (!this.#confirmations.isToName(route)) return own;",
    replacement: "return own;",
    tests: ["test/unit/stacks/weight-change.test.ts"],
  },
  {
    removes: "a weight rises only where both versions of others are there",
    file: "fleet/checks/existing-versions.ts",
    text: "return missing === undefined",
    replacement: "return missing !== undefined",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "a pod without a sidecar keeps routes from changing",
    file: "stacks/existing-workloads.ts",
    text: "    !rises &&\n",
    replacement: "",
    tests: stacks,
  },
  {
    removes: "a wildcard of others that routes a service is found",
    file: "fleet/routing/istio/claims.ts",
    text: "inner.some((each) => covers(pattern, each)),",
    replacement: "inner.every((each) => each === pattern),",
    tests: claims,
  },
  {
    removes: "others' path on a host of the gateway leads to no pod of the service",
    file: "fleet/routing/istio/claims.ts",
    text: "!names.includes(host) && !host.startsWith(inner),",
    replacement: 'host !== "",',
    tests: claims,
  },
  {
    removes: "others' rule for all paths of a host of the gateway is refused",
    file: "fleet/routing/istio/claims.ts",
    text: "match.every(isOnePath) &&",
    replacement: "match.length < 99 &&",
    tests: claims,
  },
  {
    removes: "a route for another name is a condition",
    file: "fleet/routing/istio/envoy.ts",
    text: "(hosts.includes(name) || crossing.some((service) => name.startsWith(service)))",
    replacement: 'name !== ""',
    tests: ["test/unit/fleet/routing/istio/envoy.test.ts"],
  },
  {
    removes: "a pod without a sidecar is no pod of a version",
    file: "lib/existing.ts",
    text: "({ isReady, hasSidecar }) => isReady && hasSidecar,",
    replacement: "({ isReady }) => isReady,",
    tests: rules,
  },
  {
    removes: "routes that name no version give a canary nothing for sure",
    file: "lib/deployed.ts",
    text: "if (version === undefined || split.unnamed) return 0;",
    replacement: "if (version === undefined) return 0;",
    tests: ["test/unit/lib/release-rules.test.ts"],
  },
  {
    removes: "routes to pods of others name no version without a canary",
    file: "lib/routing/istio/virtual-service.ts",
    text: "args.existing !== undefined && canary === undefined;",
    replacement: "false;",
    tests: ["test/unit/stacks/existing.test.ts"],
  },
  {
    removes: "a service that runs in some of the clusters only is refused",
    file: "stacks/existing-workloads.ts",
    text: "const problems = [...partlyTold(true), ...told",
    replacement: "const problems = [...told",
    tests: stacks,
  },
];
