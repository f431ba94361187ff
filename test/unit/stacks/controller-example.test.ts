import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { previewedExample } from "../../helpers/previewed-example.ts";

const EXAMPLE = "beside-argo-cd";

/** A file beside the example's config. */
function beside(file: string): unknown {
  return load(
    readFileSync(new URL(`../../../examples/${EXAMPLE}/${file}`, import.meta.url), "utf8"),
  );
}

interface Application {
  readonly spec: {
    readonly ignoreDifferences: readonly {
      readonly kind: string;
      readonly namespace: string;
      readonly name: string;
    }[];
  };
}
interface Kustomization {
  readonly spec: { readonly patches: readonly { readonly patch: string }[] };
}
interface Patch {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
}

describe(`examples/${EXAMPLE}`, () => {
  it("makes routes alone, and nothing that a controller applies", async () => {
    const recording = await previewedExample(EXAMPLE);
    const made = recording.resources.flatMap(({ name, type, inputs }) => {
      const { namespace } = (inputs["metadata"] ?? {}) as { namespace?: string };
      return type.startsWith("kubernetes:") && (namespace === "web" || name === "web")
        ? [type.split(":").at(-1)]
        : [];
    });
    expect([...new Set(made)].sort()).toEqual([
      "DestinationRule",
      "ServiceEntry",
      "VirtualService",
    ]);
  });

  it("has Argo CD and Flux leave alone what has the service's name", () => {
    const { spec: argo } = beside("argo-cd.yaml") as Application;
    const { spec: flux } = beside("flux.yaml") as Kustomization;
    const patches = flux.patches.map(({ patch }) => load(patch) as Patch);
    const expected = ["VirtualService web/shop", "DestinationRule web/shop"];
    expect(
      argo.ignoreDifferences.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
    ).toEqual(expected);
    expect(
      patches.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
    ).toEqual(expected);
  });
});
