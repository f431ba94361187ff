import { describe, expect, it } from "vitest";
import { previewedExample } from "../../helpers/previewed-example.ts";

describe("examples/two-services-one-host", () => {
  it("has one VirtualService of each service in every cluster, with rules for the gateway where they differ", async () => {
    const recording = await previewedExample("two-services-one-host");
    const found = recording
      .ofType("kubernetes:networking.istio.io/v1:VirtualService")
      .map(({ name, inputs }) => {
        const { http } = inputs["spec"] as { http: { name: string; match?: unknown }[] };
        return [
          name,
          http.filter((rule) => rule.name.includes("-ingress-")).map((rule) => rule.name),
        ];
      });
    const of = (service: string, rules: readonly string[]) =>
      ["cluster-a", "cluster-b"].map((cluster) => [
        `${service}.shop-route-${cluster}-weights`,
        rules.map((rule) => `${service}-ingress-${rule}`),
      ]);
    expect(found.sort()).toEqual([...of("api", ["weights"]), ...of("web", ["canary", "weights"])]);
  });
});
