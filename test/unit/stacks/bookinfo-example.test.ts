import { describe, expect, it } from "vitest";
import { previewedExample } from "../../helpers/previewed-example.ts";

const CLUSTERS = ["cluster-a", "cluster-b"];
const NETWORKING = "kubernetes:networking.istio.io/v1";

describe("examples/bookinfo", () => {
  it("routes all four services in every cluster, and makes nothing of their owner's", async () => {
    const recording = await previewedExample("bookinfo");
    const kinds = [...Map.groupBy(recording.resources, ({ type }) => type)].flatMap(
      ([type, all]) => (type.startsWith("kubernetes:") ? [`${type} ${all.length}`] : []),
    );
    expect(kinds.sort()).toEqual([
      `${NETWORKING}:DestinationRule 16`,
      `${NETWORKING}:ServiceEntry 8`,
      `${NETWORKING}:VirtualService 8`,
    ]);
    for (const cluster of CLUSTERS) {
      const { inputs } = recording.named(`reviews.bookinfo-route-${cluster}-weights`);
      expect(JSON.stringify(inputs["spec"])).toContain('"subset":"v1"},"weight":100');
    }
  });
});
