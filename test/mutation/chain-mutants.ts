import type { Mutant } from "./mutants.ts";

const routing = [
  "test/unit/lib/routing/istio/routing-rules.test.ts",
  "test/unit/stacks/chain.test.ts",
];
const weight = ["test/unit/stacks/chain-weight.test.ts"];
const rules = ["test/unit/lib/chain-rules.test.ts"];
const marks = ["test/unit/fleet"];

/** What keeps a request through a chain of services on one side. */
export const chainMutants: readonly Mutant[] = [
  {
    removes: "a mark from outside has no effect",
    file: "lib/routing/istio/routing-rules.ts",
    text: '{ purpose: "weights", destinations: weights(marked, { remove: [header] }) },',
    replacement: '{ purpose: "weights", destinations: weights(marked, {}) },',
    tests: routing,
  },
  {
    removes: "a forged member of baggage has no effect",
    file: "lib/routing/istio/routing-rules.ts",
    text: "weights(marked, { remove: [header, BAGGAGE] })",
    replacement: "weights(marked, { remove: [header] })",
    tests: routing,
  },
  {
    removes: "testers are marked too",
    file: "lib/routing/istio/routing-rules.ts",
    text: '...forTesters("canary", marked),',
    replacement: '...forTesters("canary", {}),',
    tests: routing,
  },
  {
    removes: "followers have no weight of their own",
    file: "lib/routing/istio/routing-rules.ts",
    text: "shares({ ...args, weight: 0 })",
    replacement: "shares(args)",
    tests: routing,
  },
  {
    removes: "the routes of entries come after those of all followers",
    file: "stacks/release.ts",
    text: "const before = routes.some(({ isSecond }) => isSecond)",
    replacement: "const before = routes.some(({ isSecond }) => isSecond && !isSecond)",
    tests: routing,
  },
  {
    removes: "the weight rises after every Envoy follows the mark",
    file: "stacks/weight-change.ts",
    text: "if (this.plan.routes.some((route) => route.isSecond && route.rises)) {",
    replacement: "if (this.plan.routes.length === 0) {",
    tests: weight,
  },
  {
    removes: "an entry that changes otherwise waits for the followers too",
    file: "stacks/weight-change.ts",
    text: "const first = route.isSecond\n",
    replacement: "const first = route.isSecond && route.rises\n",
    tests: weight,
  },
  {
    removes: "the followers' canaries are in the barrier",
    file: "stacks/canaries.ts",
    text: 'return canary && roleIn(chain, service) === "follower" ? [canary] : [];',
    replacement: "return canary && roleIn(chain, service) === undefined ? [canary] : [];",
    tests: weight,
  },
  {
    removes: "a service that loses the mark is found",
    file: "fleet/chain/lost-marks.ts",
    text: "if (losing.length > 0) {",
    replacement: "if (losing.length > 99) {",
    tests: marks,
  },
  {
    removes: "a follower that no probe reaches is told",
    file: "fleet/chain/lost-marks.ts",
    text: "all.every(({ to, marked }) => to.key !== key || marked === 0)",
    replacement: "all.every(({ to }) => to.key !== key)",
    tests: marks,
  },
  {
    removes: "what is marked on the way is part of an Envoy's rules",
    file: "fleet/routing/istio/serves.ts",
    text: "changes: heldChanges(rule),",
    replacement: "changes: {},",
    tests: marks,
  },
  {
    removes: "a follower's canary serves what the entries mark",
    file: "lib/release-rules.ts",
    text: "route: serving(found, marked), wanted: here",
    replacement: "route: found, wanted: here",
    tests: rules,
  },
  {
    removes: "a chain is promoted as a whole",
    file: "lib/chain-rules.ts",
    text: "    ...promotionProblems(deployed, wanted, problem),\n",
    replacement: "",
    tests: rules,
  },
  {
    removes: "entries change first when a promotion is taken back",
    file: "lib/chain-rules.ts",
    text: "route.stable === canary && route.stable !== stable",
    replacement: "route.stable === canary && route.stable === stable",
    tests: [...rules, ...weight],
  },
  {
    removes: "nobody joins or leaves a chain in mid-release",
    file: "lib/chain-rules.ts",
    text: "...(marked > 0 ? memberProblems(deployed, wanted, marked, problem) : []),",
    replacement: "...(marked > 100 ? memberProblems(deployed, wanted, marked, problem) : []),",
    tests: rules,
  },
  {
    removes: "a follower of a chain has no weight by which clusters could differ",
    file: "lib/served.ts",
    text: 'return role === "follower" && weight === 0;',
    replacement: 'return role === "follower" && weight > 99;',
    tests: ["test/unit/release/observer.test.ts", "test/unit/lib/served.test.ts"],
  },
  {
    removes: "a follower of a chain that is bad rolls all back",
    file: "release/gates/gate-verdicts.ts",
    text: `kind !== "share" || (quarantine.length === 0 && judged.role !== "follower"),`,
    replacement: `judged.role !== "follower" && (kind !== "share" || quarantine.length === 0),`,
    tests: ["test/unit/release/observer.test.ts"],
  },
  {
    removes: "an Envoy that does not know the mark is not counted as one that serves a chain",
    file: "release/status/cluster-status.ts",
    text: "if (route.role === undefined) return",
    replacement: "return",
    tests: ["test/unit/release/status"],
  },
];
