import type { Mutant } from "./mutants.ts";

const tests = ["test/unit/stacks/cluster-preference.test.ts"];
const policy = "lib/routing/istio/traffic-policy.ts";

/** What keeps a cluster that fails from costing requests, and a bad canary from hiding. */
export const failoverMutants: readonly Mutant[] = [
  {
    removes: "the own cluster comes first",
    file: policy,
    text: 'preference === "own-first"',
    replacement: 'preference !== "own-first"',
    tests,
  },
  {
    removes: "a connection is given up before the request is",
    file: policy,
    text: 'connectTimeout: "1s",',
    replacement: "",
    tests,
  },
  {
    removes: "a connection ends before a gateway that goes gives it up",
    file: policy,
    text: "mergeValues({ connectionPool: lifetime }, { connectionPool }, replaced, own ?? {})",
    replacement: "mergeValues({ connectionPool }, replaced, own ?? {})",
    tests,
  },
  {
    removes: "a version keeps what holds for the service's connections",
    file: policy,
    text: "mergeValues({ connectionPool: lifetime }, { connectionPool }, replaced",
    replacement: "mergeValues({ connectionPool: lifetime }, replaced",
    tests,
  },
  {
    removes: "a gateway that goes waits for the requests under way",
    file: "lib/helm-values.ts",
    text: 'env: { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true" },',
    replacement: "",
    tests: ["test/unit/components/east-west-gateway.test.ts"],
  },
  {
    removes: "a dead connection of HTTP/2 is found",
    file: policy,
    text: 'protocol !== "http"',
    replacement: 'protocol === "http"',
    tests,
  },
  {
    removes: "what an application answers ejects nothing",
    file: policy,
    text: "consecutive5xxErrors: 0,",
    replacement: "",
    tests,
  },
  {
    removes: "nor does what it answers as a gateway would",
    file: policy,
    text: "consecutiveGatewayErrors: 0,",
    replacement: "",
    tests,
  },
  {
    removes: "the one endpoint of a far cluster may be ejected",
    file: policy,
    text: "maxEjectionPercent: 100,",
    replacement: "",
    tests,
  },
  {
    removes: "a version's own policy keeps what it does not name",
    file: policy,
    text: "{ connectionPool }, replaced, own",
    replacement: "{ connectionPool }, own",
    tests,
  },
  {
    removes: "a third try goes to another cluster",
    file: "lib/routing/istio/virtual-service.ts",
    text: '...(preference === "own-first" && { retryRemoteLocalities: true }),',
    replacement: "",
    tests,
  },
  {
    removes: "a service without a preference stays as it was",
    file: policy,
    text: "if (policies?.preference === undefined) return policies?.all;",
    replacement: 'if (!policies) return failover("spread", ports);',
    tests,
  },
  {
    removes: "another preference is another routing",
    file: "stacks/workload.ts",
    text: "...(preference && { preference }), ",
    replacement: "",
    tests,
  },
  {
    removes: "pings are not written where Istio does not know them",
    file: "stacks/cluster-preference-checks.ts",
    text: "find((version) => !hasPings(version))",
    replacement: "find((version) => hasPings(version))",
    tests,
  },
  {
    removes: "during an upgrade all of them count, whatever mesh.istioVersion says",
    file: "stacks/config.ts",
    text: "versionsOf({ istioVersion: mesh.istioVersion, revisions: mesh.revisions })",
    replacement: "versionsOf({ istioVersion: mesh.istioVersion })",
    tests,
  },
  {
    removes: "an autoscaler of gateways keeps two pods",
    file: "components/gateway-release.ts",
    text: "autoscaled: isAutoscaled(args.values),",
    replacement: "",
    tests: ["test/unit/stacks/autoscaler-checks.test.ts"],
  },
  {
    removes: "no autoscaler leaves one pod, which a drain takes",
    file: "stacks/autoscaler-checks.ts",
    text: "return isWhole(least, 2)",
    replacement: "return isWhole(least, 0)",
    tests: ["test/unit/stacks/autoscaler-checks.test.ts"],
  },
];
