import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { expect } from "vitest";
import { problemLine } from "../../lib/problems.ts";
import { parseConfig } from "../../stacks/config.ts";
import { joinMesh, type MeshStack } from "../../stacks/mesh-stack.ts";
import { installMesh } from "../../stacks/mesh.ts";
import { planRelease } from "../../stacks/release-plan.ts";
import { releaseServices } from "../../stacks/release.ts";
import { kubeconfigFile } from "./fixtures.ts";
import { recordProgram, type Recording } from "./mocks.ts";

/** What a stack says of its mesh over two clusters, with the contexts that examples name. */
function meshOf(name: string): MeshStack {
  const clusters = ["a", "b"];
  return {
    name,
    mesh: {
      ...{ trustDomain: "cluster.local", clusterDomain: "cluster.local", env: "production" },
      ownPrometheus: false,
      clusters: clusters.map((letter) => ({
        name: `cluster-${letter}`,
        context: `prod-${letter}`,
      })),
    },
    rootCaExpires: "2036-01-01T00:00:00Z",
    clusters: Object.fromEntries(
      clusters.map((letter, i) => [
        `cluster-${letter}`,
        {
          ...{ network: `network-${letter}`, istioVersion: "1.31.0", traffic: {} },
          caExpires: "2031-01-01T00:00:00Z",
          gateways: { eastWest: [`203.0.113.${i + 1}`], ingress: [] },
        },
      ]),
    ),
  };
}

/** What the program registers with the config of an example. */
export async function previewedExample(name: string): Promise<Recording> {
  const file = new URL(`../../examples/${name}/Pulumi.${name}.yaml`, import.meta.url);
  const { config } = load(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace(/^istio-canary:/, ""), value]),
  );
  const meshStack = raw["meshStack"];
  const joined = typeof meshStack === "string" ? meshOf(meshStack) : undefined;
  const { settings, problems } = parseConfig(
    { ...raw, kubeconfig: kubeconfigFile() },
    new Date(),
    joined,
  );
  expect(problems.map(problemLine)).toEqual([]);
  if (!settings) throw new Error("the example is wrong");
  const plan = planRelease(settings, []);
  expect(plan.problems).toEqual([]);
  const recording = await recordProgram();
  const { clusters } = "meshStack" in settings ? joinMesh(settings) : installMesh(settings);
  releaseServices(settings, clusters, plan);
  await recording.settle();
  return recording;
}
