import type { Mutant } from "./mutants.ts";

const reads = ["test/unit/stacks/mesh-reads.test.ts", "test/unit/fleet/remote-reads.test.ts"];

/** What an update of the mesh waits for, and what not. */
export const meshMutants: readonly Mutant[] = [
  {
    removes: "a weight that falls waits for no istiod to read another cluster",
    file: "stacks/mesh-reads.ts",
    text: "if (falls && !this.#isChanged) return;",
    replacement: "",
    tests: reads,
  },
  {
    removes: "what an update changes of the mesh is waited for, also where a weight falls",
    file: "stacks/mesh-reads.ts",
    text: "if (falls && !this.#isChanged) return;",
    replacement: "if (falls) return;",
    tests: reads,
  },
  {
    removes:
      "an update that changes the mesh beside services fails where an istiod does not read a cluster",
    file: "stacks/mesh-reads.ts",
    text: "if (!this.#isChanged && this.#settings.services.length > 0) {",
    replacement: "if (this.#settings.services.length > 0) {",
    tests: reads,
  },
  {
    removes: "an istiod that has not seen the new remote secret yet is not believed",
    file: "fleet/remote-reads.ts",
    text: "performance.now() - wellSince < holdsMs",
    replacement: "holdsMs < 0",
    tests: reads,
  },
  {
    removes: "each pod of an istiod must read every other cluster",
    file: "fleet/remote-reads.ts",
    text: '.filter(({ status }) => status !== "synced"),',
    replacement: '.filter(({ status }) => status === "unknown"),',
    tests: reads,
  },
  {
    removes: "what the checks saw ahead counts no more once Pulumi has changed a resource",
    file: "stacks/on-resource-change.ts",
    text: "resource instanceof pulumi.CustomResource && !routing.isWeights(type)",
    replacement: "pulumi.CustomResource.isInstance(resource) && !routing.isWeights(type)",
    tests: ["test/unit/stacks/on-resource-change.test.ts"],
  },
];
