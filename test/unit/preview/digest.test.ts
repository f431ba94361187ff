import { describe, expect, it } from "vitest";
import { clusterOf, objectName, parseDigest, parseUrn } from "../../../preview/digest.ts";

const URN =
  "urn:pulumi:prod::istio-canary::istio-canary:mesh:CanaryRoute$kubernetes:core/v1:Service::a::b";
const provider = (name: string) =>
  `urn:pulumi:prod::istio-canary::pulumi:providers:kubernetes::${name}::04da6b54-80e4-46f7-96ec-b56ff0331ba9`;

describe("what pulumi preview --json prints", () => {
  it("is refused with the command to run when it is no JSON", () => {
    expect(() => parseDigest("error: no stack named 'prod' found")).toThrow(
      "This is not the JSON of a preview: pass what `pulumi preview --json --show-sames` prints on standard output",
    );
  });

  it("is refused with what is wrong when it is other JSON", () => {
    expect(() => parseDigest('{"steps": [{"op": 1, "urn": "u"}]}')).toThrow(/steps\[0\]\.op/);
  });

  it("may be empty, as after a program that stops at once", () => {
    expect(parseDigest("{}")).toEqual({ config: {}, steps: [], diagnostics: [] });
  });
});

describe("a URN", () => {
  it("gives its own type, not its parents', and a name with colons", () => {
    expect(parseUrn(URN)).toEqual({ type: "kubernetes:core/v1:Service", name: "a::b" });
  });
});

describe("the cluster of a step", () => {
  it("is the name of its explicit provider", () => {
    expect(clusterOf({ urn: URN, provider: provider("cluster-a") })).toBe("cluster-a");
  });

  it("is the provider's own name for the provider", () => {
    const urn = "urn:pulumi:prod::istio-canary::pulumi:providers:kubernetes::cluster-b";
    expect(clusterOf({ urn, provider: "" })).toBe("cluster-b");
  });

  it.each(["", provider("default_4_34_2"), provider("x").replace("kubernetes", "pulumi-nodejs")])(
    "is none through %j",
    (reference) => {
      expect(clusterOf({ urn: URN, provider: reference })).toBeUndefined();
    },
  );
});

describe("the name of an object", () => {
  it.each([
    [{ metadata: { name: "a", namespace: "b" } }, "b/a"],
    [{ metadata: { name: "a" } }, "a"],
    [{ name: "istiod", namespace: "istio-system", chart: "istiod" }, "istio-system/istiod"],
    [{ metadata: {} }, undefined],
    [{}, undefined],
  ])("of %j is %j", (inputs, name) => {
    expect(objectName(inputs)).toBe(name);
  });
});
