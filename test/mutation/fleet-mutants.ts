import type { Mutant } from "./mutants.ts";

const acknowledgements = ["test/unit/fleet/acknowledgements.test.ts"];
const file = "fleet/acknowledgements.ts";

/** What makes it safe to count what proxies have acknowledged to their istiod. */
export const fleetMutants: readonly Mutant[] = [
  {
    removes: "a proxy that has moved to another istiod proves nothing",
    file,
    text: "if (!is || was?.istiod !== is.istiod) return;",
    replacement: "if (!is || !was) return;",
    tests: acknowledgements,
  },
  {
    removes: "nobody knows which istiod a proxy follows that is connected twice",
    file,
    text: "return others.length === 0 ? connection : undefined;",
    replacement: "return others.length < 9 ? connection : undefined;",
    tests: acknowledgements,
  },
  {
    removes: "an older state that a proxy has acknowledged is not enough",
    file,
    text: "if (state >= Math.min(this.#needed(istiod), workload))",
    replacement: "if (state >= 0)",
    tests: acknowledgements,
  },
  {
    removes: "a proxy must have the states of all services",
    file,
    text: "states.length === 0 ? Infinity : Math.max(...states)",
    replacement: "states.length === 0 ? Infinity : Math.min(...states)",
    tests: acknowledgements,
  },
  {
    removes: "what an Envoy shows proves no state that is older than what it was sent",
    file,
    text: "const state = stateOf(is.nonces[this.#kind].sent);",
    replacement: "const state = stateOf(is.nonces[this.#kind].acknowledged);",
    tests: acknowledgements,
  },
  {
    removes: "gateways are always asked themselves",
    file: "fleet/sample.ts",
    text: "Math.max(most, gateways.length)",
    replacement: "most",
    tests: ["test/unit/fleet/sample.test.ts"],
  },
  {
    removes:
      "a proxy that has not acknowledged what it was sent keeps a weight from being confirmed",
    file: "fleet/enough.ts",
    text: "...named(pending.map((pod) =>",
    replacement: "...named(pending.slice(0, 0).map((pod) =>",
    tests: ["test/unit/fleet/calls.test.ts"],
  },
  {
    removes: "no connection is tried from a pod of others while the services' own can be asked",
    file: "fleet/checks/gateways.ts",
    text: "isOwn(other) - isOwn(one)",
    replacement: "isOwn(one) - isOwn(other)",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "the authority by which istiod signs must stay valid, not only the root",
    file: "fleet/checks/certificates.ts",
    text: "return above.flatMap((authority) =>",
    replacement: "return above.slice(0, 0).flatMap((authority) =>",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "the authority by which istiod signs must be of a root that proxies trust",
    file: "fleet/checks/certificates.ts",
    text: "authorities.length > 0) && used.length === 0",
    replacement: "authorities.length > 9) && used.length === 0",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "an Envoy's routes are taken for those of another one only if they are the same",
    file: "fleet/routing/istio/route-tables.ts",
    text: "each.digest === digest",
    replacement: 'each.digest !== ""',
    tests: ["test/unit/fleet/routing/istio/route-tables.test.ts"],
  },
  {
    removes: "what a route says under the name of a table's version is read of each Envoy",
    file: "fleet/routing/istio/route-tables.ts",
    text: "versions.length === versioned.length",
    replacement: "versions.length >= versioned.length",
    tests: ["test/unit/fleet/routing/istio/route-tables.test.ts"],
  },
  {
    removes: "a pod that has changed is not taken for what it was",
    file: "fleet/lean-pods.ts",
    text: "`${uid} ${resourceVersion}`",
    replacement: "uid",
    tests: ["test/unit/fleet/calls.test.ts"],
  },
  {
    removes: "a list of pods may have an empty last page",
    file: "fleet/lean-pods.ts",
    text: "keep(items ?? []);",
    replacement: "keep(items as never);",
    tests: ["test/unit/fleet/calls.test.ts"],
  },
];
