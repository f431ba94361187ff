import type { Mutant } from "./mutants.ts";

const rules = ["test/unit/lib/existing-istio.test.ts"];
const reading = ["test/unit/fleet/find-istio.test.ts"];
const stacks = ["test/unit/stacks/existing-istio.test.ts"];

/** What makes a release safe in a mesh that others have installed. */
export const existingIstioMutants: readonly Mutant[] = [
  {
    removes: "clusters of different meshes are not taken for one",
    file: "lib/existing-istio/finding.ts",
    text: "return groups.length < 2",
    replacement: "return groups.length < 9",
    tests: rules,
  },
  {
    removes: "what the config says of others' mesh agrees with the clusters",
    file: "lib/existing-istio/mesh-rules.ts",
    text: "return value === undefined || is === undefined || value === is",
    replacement: 'return value === undefined || is === undefined || value !== ""',
    tests: rules,
  },
  {
    removes: "clusters of others' mesh have the same root",
    file: "lib/existing-istio/mesh-rules.ts",
    text: "...(roots === undefined",
    replacement: '...(roots !== ""',
    tests: rules,
  },
  {
    removes: "a cluster of the config is the one that istiod calls so",
    file: "lib/existing-istio/mesh-rules.ts",
    text: "cluster.name === found.clusterId",
    replacement: 'cluster.name !== ""',
    tests: rules,
  },
  {
    removes: "each istiod of others reads all clusters",
    file: "lib/existing-istio/mesh-rules.ts",
    text: 'return status === "synced"',
    replacement: 'return status !== ""',
    tests: rules,
  },
  {
    removes: "a cluster counts as read only if all pods of istiod read it",
    file: "fleet/existing-istio/find-istio.ts",
    text: 'all.find((status) => status !== "synced") ?? "synced"',
    replacement: 'all[0] ?? "synced"',
    tests: reading,
  },
  {
    removes: "a version of Istio that was not tried is refused",
    file: "lib/existing-istio/mesh-rules.ts",
    text: "version !== undefined && !isSupportedIstio(version),",
    replacement: 'version === "",',
    tests: rules,
  },
  {
    removes: "others' mTLS is not off",
    file: "lib/existing-istio/mesh-rules.ts",
    text: '(each) => each.mode === "DISABLE" && ours.includes(each.namespace),',
    replacement: '(each) => each.mode === "" && ours.includes(each.namespace),',
    tests: rules,
  },
  {
    removes: "a gateway between networks lets the services' mTLS through",
    file: "lib/existing-istio/gateway-rules.ts",
    text: 'tlsMode === "AUTO_PASSTHROUGH" &&',
    replacement: "",
    tests: rules,
  },
  {
    removes: "a Gateway of others takes requests for the hosts of the config",
    file: "lib/existing-istio/gateway-rules.ts",
    text: "return isFor && coversHost(pattern, host);",
    replacement: 'return isFor || host === "";',
    tests: rules,
  },
  {
    removes: "nothing that speaks against others' mesh keeps a weight from falling",
    file: "stacks/existing-istio-problems.ts",
    text: '(kind === "problem" && !falls)',
    replacement: 'kind === "problem"',
    tests: stacks,
  },
  {
    removes: "nothing is registered from what is not known of others' mesh",
    file: "stacks/existing-istio-problems.ts",
    text: 'kind === "harm" ||',
    replacement: "",
    tests: stacks,
  },
  {
    removes: "no resource of a cluster is deleted because its mesh is not known",
    file: "stacks/mesh-stack.ts",
    text: "if (!known) throw new Error(`nothing is known of the mesh in ${access.name}`);",
    replacement: "if (!known) return [] as never;",
    tests: stacks,
  },
  {
    removes: "what speaks against others' mesh keeps an update from being made",
    file: "stacks/weight-change.ts",
    text: "...istio.problems,",
    replacement: "",
    tests: ["test/unit/stacks/weight-change.test.ts"],
  },
  {
    removes: "no host leads to a gateway between networks where there is one network",
    file: "stacks/named-clusters.ts",
    text: "return oneNetwork ? [] :",
    replacement: "return oneNetwork && clusters.length > 9 ? [] :",
    tests: stacks,
  },
];
