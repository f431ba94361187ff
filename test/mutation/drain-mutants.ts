import type { Mutant } from "./mutants.ts";

const drained = ["test/unit/stacks/drained-clusters.test.ts"];
const rules = ["test/unit/lib/drain-rules.test.ts"];
const marks = ["test/unit/fleet/drain-marks.test.ts"];
const clusters = ["test/unit/stacks/away-clusters.test.ts"];

/** What makes it safe to send a cluster nothing, and to send it requests again. */
export const drainMutants: readonly Mutant[] = [
  {
    removes: "the guard of a cluster that is drained has no rights in the others",
    file: "stacks/release-guard.ts",
    text: "suspended: settings.drain,",
    replacement: "",
    tests: ["test/unit/stacks/release-guard.test.ts"],
  },
  {
    removes: "a cluster is not drained until the others have the pods",
    file: "lib/drain-rules.ts",
    text: "if (ready >= least) return [];",
    replacement: "if (ready >= 0) return [];",
    tests: rules,
  },
  {
    removes: "the others need a pod of each version, whatever the capacity is",
    file: "lib/drain-rules.ts",
    text: "Math.max(1, podsFor(all, 100, capacity))",
    replacement: "podsFor(all, 100, capacity)",
    tests: rules,
  },
  {
    removes: "the requests of all clusters that are drained count",
    file: "lib/drain-rules.ts",
    text: "(100 * (staying.length + gone))",
    replacement: "(100 * staying.length)",
    tests: rules,
  },
  {
    removes: "an update refuses what the capacity does not allow",
    file: "stacks/weight-change.ts",
    text: "...(await drained.problems(answering, deployed)),",
    replacement: "",
    tests: ["test/unit/stacks/weight-change.test.ts"],
  },
  {
    removes: "a cluster that is drained already waits for no pods",
    file: "stacks/drained-clusters.ts",
    text: "drain.filter((name) => this.#marksOf(name).length === 0)",
    replacement: "drain",
    tests: drained,
  },
  {
    removes: "a cluster that is away and drained stays drained",
    file: "stacks/drained-clusters.ts",
    text: "!drain.includes(name) && this.#marksOf(name).length > 0",
    replacement: "drain.includes(name) && drain.length === 0",
    tests: drained,
  },
  {
    removes: "an update has made a cluster equal before the others send it requests",
    file: "stacks/drained-clusters.ts",
    text: 'this.#marksOf(source).every((mark) => mark === "equal") &&',
    replacement: "",
    tests: drained,
  },
  {
    removes: "it is still equal when the others send it requests",
    file: "stacks/drained-clusters.ts",
    text: "routes.filter(({ cluster }) => cluster === source).every(isSettled)",
    replacement: "routes.length > 0",
    tests: drained,
  },
  {
    removes: "what an update leaves out is not marked as done",
    file: "stacks/drained-clusters.ts",
    text: "if (!cluster || used[i] !== isOpen) return;",
    replacement: "if (!cluster) return;",
    tests: drained,
  },
  {
    removes: "a preview takes no remote secret out of use",
    file: "stacks/drained-clusters.ts",
    text: "if (pulumi.runtime.isDryRun()) return;",
    replacement: "",
    tests: drained,
  },
  {
    removes: "no remote secret is made where there is none",
    file: "fleet/drain-marks.ts",
    text: "if (found?.uid === undefined) return;",
    replacement: "",
    tests: marks,
  },
  {
    removes: "the label is left to Pulumi once the cluster is equal",
    file: "fleet/drain-marks.ts",
    text: '(mark === "away" && { [REMOTE_SECRET_LABEL]: "false" })',
    replacement: '(mark !== undefined && { [REMOTE_SECRET_LABEL]: "false" })',
    tests: marks,
  },
  {
    removes: "a host that leads nowhere is not resolved by the proxies",
    file: "components/gateway-endpoints.ts",
    text: 'resolution: "STATIC",',
    replacement: 'resolution: "DNS",',
    tests: clusters,
  },
  {
    removes: "the hosts of a drained cluster lead nowhere",
    file: "stacks/release.ts",
    text: "isDrained: settings.closed?.includes(other),",
    replacement: "",
    tests: clusters,
  },
  {
    removes: "no istiod reads a drained cluster that is back",
    file: "stacks/mesh.ts",
    text: "isUsed: !closed.includes(source.name),",
    replacement: "",
    tests: clusters,
  },
];
