import { describe, expect, it } from "vitest";
import { previewedExample } from "../../helpers/previewed-example.ts";

describe("examples/grpc-pair", () => {
  it("has each port of both services in every cluster", async () => {
    const recording = await previewedExample("grpc-pair");
    const ports = recording.ofType("kubernetes:core/v1:Service").flatMap(({ name, inputs }) => {
      const { ports } = (inputs["spec"] ?? { ports: [] }) as {
        ports: { port: number; appProtocol?: string }[];
      };
      return name.includes(".shop-")
        ? ports.map(({ port, appProtocol = "http" }) => `${name} ${port} ${appProtocol}`)
        : [];
    });
    expect(ports.sort()).toEqual(
      ["cluster-a", "cluster-b"]
        .flatMap((cluster) => [
          `catalog.shop-${cluster}-service 80 http`,
          `catalog.shop-${cluster}-service 9090 grpc`,
          `pricing.shop-${cluster}-service 80 grpc`,
        ])
        .sort(),
    );
  });
});
