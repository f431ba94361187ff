import type { Mutant } from "./mutants.ts";

const paths = ["test/unit/lib/ingress-paths.test.ts"];
const rules = ["test/unit/lib/routing/istio/ingress-rules.test.ts"];
const envoys = ["test/unit/fleet/routing/istio/one-host.test.ts"];
const findings = ["test/unit/stacks/ingress-findings.test.ts"];

/** What keeps services apart that share a host of the gateway. */
export const ingressMutants: readonly Mutant[] = [
  {
    removes: "paths of two services that overlap are refused",
    file: "lib/ingress-paths.ts",
    text: "return isEither(first, second);",
    replacement: "return first === second;",
    tests: paths,
  },
  {
    removes: "a service with all paths must know which are others'",
    file: "lib/ingress-paths.ts",
    text: "return unknown.length === 0\n    ? undefined",
    replacement: "return unknown.length < 99\n    ? undefined",
    tests: paths,
  },
  {
    removes: "testers of one service leave the paths of the other alone",
    file: "lib/routing/istio/virtual-service.ts",
    text: 'withoutHeaders: { ":path": { regex: pathsPattern(othersPaths) } },',
    replacement: "",
    tests: rules,
  },
  {
    removes: "a sidecar gives a service with some paths no other paths of the host",
    file: "lib/routing/istio/virtual-service.ts",
    text: '...(paths && { withoutHeaders: { ":authority": { regex: hostsPattern(ingressHosts) } } }),',
    replacement: "",
    tests: rules,
  },
  {
    removes: "rules of others for all paths of a shared host are strays",
    file: "fleet/routing/istio/claims.ts",
    text: "match.every((each) => inMesh.safeParse(each).success || isOnePath(each)) &&",
    replacement: "",
    tests: ["test/unit/fleet/records/routing-records.test.ts"],
  },
  {
    removes: "a route that others hide does not count as served",
    file: "fleet/routing/istio/envoy.ts",
    text: "plain.find((route) => !leadsTo(route, hosts)) ?? plain[0]",
    replacement: "plain.find((route) => leadsTo(route, hosts)) ?? plain[0]",
    tests: envoys,
  },
  {
    removes: "a gateway without a route for the host's requests does not count as serving",
    file: "fleet/routing/istio/envoy.ts",
    text: "first.routes.filter((route) => !isElsewhere(route, host))",
    replacement: "first.routes",
    tests: envoys,
  },
  {
    removes: "another service's rules in a sidecar are not taken for the service's own",
    file: "fleet/routing/istio/envoy.ts",
    text: ".filter(({ routes }) => !isOthers(table.name, [host], routes, hosts))",
    replacement: "",
    tests: envoys,
  },
  {
    removes: "an Envoy must have the paths of the rules",
    file: "fleet/routing/istio/serves.ts",
    text: "path: heldPath(match),",
    replacement: 'path: match.prefix === "/" ? undefined : undefined,',
    tests: envoys,
  },
  {
    removes: "an Envoy must rewrite as the rules say",
    file: "fleet/routing/istio/serves.ts",
    text: "rewrite.prefix_rewrite,",
    replacement: '"/",',
    tests: envoys,
  },
  {
    removes: "hosts of another stack's service are looked at before they are shared",
    file: "stacks/ingress-findings.ts",
    text: "return objection\n        ? [",
    replacement: "return objection && false\n        ? [",
    tests: findings,
  },
  {
    removes: "Gateways of one's own must serve the hosts",
    file: "fleet/routing/istio/gateway-objects.ts",
    text: "if (untaken.length > 0) {",
    replacement: "if (untaken.length > 9) {",
    tests: findings,
  },
];
