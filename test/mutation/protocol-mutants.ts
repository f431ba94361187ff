import type { Mutant } from "./mutants.ts";

const ports = ["test/unit/stacks/ports.test.ts"];
const policies = ["test/unit/stacks/traffic-policy.test.ts"];

/** What makes a release safe of services with several ports, streams and policies of their own. */
export const protocolMutants: readonly Mutant[] = [
  {
    removes: "every port of an Envoy must serve a weight before it counts as confirmed",
    file: "fleet/routing/istio/envoy.ts",
    text: "const routing = own.length > 0 ? own : tables.slice(0, 1);",
    replacement: "const routing = (own.length > 0 ? own : tables).slice(0, 1);",
    tests: ["test/unit/fleet/routing/istio/envoy.test.ts"],
  },
  {
    removes: "a port that is behind keeps a weight from being confirmed",
    file: "fleet/confirm.ts",
    text: "if (served !== weight) return",
    replacement: "if (served !== weight && tables.length === 1) return",
    tests: ["test/unit/fleet/confirm.test.ts"],
  },
  {
    removes: "every proxy holds the canary's subset on every port",
    file: "fleet/checks/check.ts",
    text: "return ports ?? [existing?.port];",
    replacement: "return (ports ?? [existing?.port]).slice(0, 1);",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "no gRPC call that was worked on is made again by itself",
    file: "lib/routing/istio/virtual-service.ts",
    text: 'ports.some(({ protocol }) => protocol === "grpc")',
    replacement: "ports.length > 9",
    tests: ports,
  },
  {
    removes: "gateways lead to the first of several ports",
    file: "lib/routing/istio/virtual-service.ts",
    text: "ingressHosts.length > 0 && ports.length > 1 ? first?.port : undefined",
    replacement: "ingressHosts.length > 9 ? first?.port : undefined",
    tests: ports,
  },
  {
    removes: "a policy leaves mutual TLS as it is",
    file: "lib/routing/istio/destination-rule.ts",
    text: "...istioPolicy(servicePolicy(policies, ports)),\n    ...(!existing",
    replacement:
      "...istioPolicy(servicePolicy(policies, ports)),\n    ...(!existing && !policies?.all",
    tests: policies,
  },
  {
    removes: "a further port's policy says all that holds for it",
    file: "lib/routing/istio/destination-rule.ts",
    text: "...istioPolicy(subset === undefined ? own : { ...all, ...own }),",
    replacement: "...istioPolicy(own),",
    tests: ports,
  },
  {
    removes: "a policy cannot lead requests past the versions",
    file: "stacks/schema/traffic-policy.ts",
    text: 'z.enum(["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"])',
    replacement: 'z.enum(["LEAST_REQUEST", "PASSTHROUGH", "RANDOM", "ROUND_ROBIN"])',
    tests: policies,
  },
  {
    removes: "another policy of stable is another routing",
    file: "stacks/routing-digest.ts",
    text: "stablePolicy: stable?.trafficPolicy,",
    replacement: "stablePolicy: undefined,",
    tests: policies,
  },
  {
    removes: "connections to a port of TCP go to stable alone",
    file: "lib/routing/istio/virtual-service.ts",
    text: "...(tcp.length > 0 && { tcp }),",
    replacement: "",
    tests: ["test/unit/stacks/ports.test.ts"],
  },
  {
    removes: "the subset of ports of TCP is stable's",
    file: "lib/routing/istio/destination-rule.ts",
    text: "[subset(TCP_SUBSET, stable)]",
    replacement: "[subset(TCP_SUBSET, versions.at(-1) ?? stable)]",
    tests: ["test/unit/stacks/ports.test.ts"],
  },
  {
    removes: "Istio knows a port as TCP that the configuration names so",
    file: "lib/existing.ts",
    text: 'TCP.includes(told) && found.protocol !== "UDP"',
    replacement: 'told !== "http"',
    tests: ["test/unit/lib/existing.test.ts"],
  },
];
