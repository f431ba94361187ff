import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { kubeconfigFile } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

/** The program with an example's config. */
async function previewed(name: string): Promise<Recording> {
  const file = new URL(`../../../examples/${name}/Pulumi.${name}.yaml`, import.meta.url);
  const { config } = load(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace(/^istio-canary:/, ""), value]),
  );
  const { settings, problems } = parseConfig({ ...raw, kubeconfig: kubeconfigFile() });
  expect(problems.map(problemLine)).toEqual([]);
  if (!settings || "meshStack" in settings) throw new Error("the example installs a mesh");
  const plan = planRelease(settings, []);
  expect(plan.problems).toEqual([]);
  const recording = await recordProgram();
  releaseServices(settings, installMesh(settings).clusters, plan);
  await recording.settle();
  return recording;
}

describe("examples/grpc-pair", () => {
  it("has each port of both services in every cluster", async () => {
    const recording = await previewed("grpc-pair");
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
