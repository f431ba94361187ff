import type { Mutant } from "./mutants.ts";

const clusters = ["test/unit/stacks/away-clusters.test.ts"];
const change = ["test/unit/stacks/weight-change.test.ts"];
const rules = ["test/unit/lib/away-rules.test.ts"];
const kept = ["test/unit/stacks/kept-versions.test.ts"];

/** What keeps a cluster that is away as it is, and a release of the others safe meanwhile. */
export const awayMutants: readonly Mutant[] = [
  {
    removes: "clusters that are away are neither read nor written to",
    file: "stacks/present-clusters.ts",
    text: "return clusters.filter(({ name }) => !away.includes(name));",
    replacement: "return away.length < 0 ? [] : clusters;",
    tests: change,
  },
  {
    removes: "an update that does not leave the cluster out is refused",
    file: "stacks/away-clusters.ts",
    text: "throw new Error(notLeftOutText(this.#away));",
    replacement: "return notLeftOutText(this.#away).length;",
    tests: clusters,
  },
  {
    removes: "so is its preview",
    file: "stacks/away-clusters.ts",
    text: "{ onDryRun: true },",
    replacement: "{ onDryRun: false },",
    tests: clusters,
  },
  {
    removes:
      "what stands for the cluster's resources is left out with them, and not by its own name",
    file: "stacks/away-clusters.ts",
    text: "{ dependsOn: [provider], hooks }",
    replacement: "{ hooks }",
    tests: clusters,
  },
  {
    removes: "nothing is registered in a cluster that is away",
    file: "stacks/mesh.ts",
    text: "const present = presentClusters(settings);",
    replacement: "const present = settings.clusters;",
    tests: clusters,
  },
  {
    removes: "the guard of a cluster that is away keeps its rights in the others",
    file: "stacks/release-guard.ts",
    text: "readers: settings.clusters.map(({ name }) => name),",
    replacement: "",
    tests: ["test/unit/stacks/release-guard.test.ts"],
  },
  {
    removes: "an Envoy's weights are those of the service's own hosts",
    file: "fleet/routing/istio/envoy.ts",
    text: "const plain = own.length > 0 ? own : all;",
    replacement: "const plain = own.length > 0 ? all : own;",
    tests: ["test/unit/fleet/routing/istio/envoy.test.ts"],
  },
  {
    removes: "a preview leaves the cluster out",
    file: "preview/cli.ts",
    text: "{ flags: exclusionArgs(away) }",
    replacement: "{ flags: [] }",
    tests: ["test/unit/preview/cli.test.ts"],
  },
  {
    removes: "a cluster that is forgotten takes only its own resources out of the state",
    file: "release/forget/state.ts",
    text: "reference.startsWith(`${provider.urn}::`);",
    replacement: "reference.startsWith(provider.urn);",
    tests: ["test/unit/release/forget-state.test.ts"],
  },
  {
    removes: "only a cluster that is away is forgotten",
    file: "release/commands/forget-cluster.ts",
    text: "if (!away.includes(cluster)) {",
    replacement: "if (away.length > 9) {",
    tests: ["test/unit/release/commands/forget-cluster.test.ts"],
  },
  {
    removes: "a state that an update has changed meanwhile is not written over",
    file: "release/commands/forget-cluster.ts",
    text: "if (!isDeepStrictEqual(await stack.exportState(), state)) {",
    replacement: "if (isDeepStrictEqual(await stack.exportState(), undefined)) {",
    tests: ["test/unit/release/commands/forget-cluster.test.ts"],
  },
  {
    removes: "a pattern names one cluster",
    file: "lib/away.ts",
    text: "return `**:providers:kubernetes::${cluster}`;",
    replacement: "return `**${cluster}**`;",
    tests: ["test/unit/lib/away.test.ts"],
  },
  {
    removes:
      "no version of others' pods, or of a chain, goes to which clients of the cluster are sent",
    file: "lib/release-rules.ts",
    text: "...awayProblems(known, route, wanted),",
    replacement: "",
    tests: rules,
  },
  {
    removes: "what clients of the cluster ask the others for keeps its subset",
    file: "lib/routing/index.ts",
    text: "...kept];",
    replacement: "...kept.slice(0, 0)];",
    tests: kept,
  },
  {
    removes: "requests that name the cluster go to a version that it has",
    file: "stacks/kept-versions.ts",
    text: "configured(service).some((version) => !(version in there))",
    replacement: "configured(service).length === 0",
    tests: kept,
  },
  {
    removes: "routes with what is kept have another record",
    file: "stacks/routing-digest.ts",
    text: "...(keptHosts.length > 0 && { keptHosts: Object.fromEntries(keptHosts) }),",
    replacement: "",
    tests: kept,
  },
  {
    removes: "a cluster that is back gets only what an update has brought to another one",
    file: "lib/away-rules.ts",
    text: "known.some(isLeader)",
    replacement: "known.length > 0",
    tests: rules,
  },
  {
    removes: "no cluster in quarantine leads one that is back",
    file: "lib/away-rules.ts",
    text: "!quarantine.includes(each.name) &&",
    replacement: "",
    tests: rules,
  },
  {
    removes: "a cluster that is back asks for what it knows until its routes have changed",
    file: "stacks/kept-versions.ts",
    text: "shareOf(there, version) > 0 ? [version] : [],",
    replacement: "shareOf(there, version) > 100 ? [version] : [],",
    tests: kept,
  },
  {
    removes: "every Envoy knows the versions before a cluster that is back gets them",
    file: "stacks/weight-confirmations.ts",
    text: "each.service === service && each.catchesUp)",
    replacement: "each.service === service && each.catchesUp && each.isSecond)",
    tests: change,
  },
  {
    removes: "the release command leaves the cluster out",
    file: "release/stack.ts",
    text: "...exclusionOf(this.away),",
    replacement: "",
    tests: ["test/unit/release/stack.test.ts"],
  },
  {
    removes: "the Istio of others is not asked for in a cluster that is away",
    file: "stacks/existing-istio.ts",
    text: "away.includes(cluster.name)\n        ? []",
    replacement: "away.length > 9\n        ? []",
    tests: ["test/unit/stacks/existing-istio.test.ts"],
  },
  {
    removes: "hosts that name clusters stay while one with a network of its own is away",
    file: "stacks/existing-istio.ts",
    text: "oneNetwork: networks.length === clusters.length && new Set(networks).size === 1,",
    replacement: "oneNetwork: new Set(places.map(({ found }) => found.network)).size === 1,",
    tests: ["test/unit/stacks/existing-istio.test.ts"],
  },
  {
    removes: "a cluster that others' istiods read is not drained",
    file: "stacks/cluster-list-checks.ts",
    text: 'installedBy === "others"\n',
    replacement: 'installedBy === "this stack"\n',
    tests: ["test/unit/stacks/existing-istio.test.ts"],
  },
];
