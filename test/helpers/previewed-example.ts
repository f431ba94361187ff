import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { expect } from "vitest";
import { problemLine } from "../../lib/problems.ts";
import { parseConfig } from "../../stacks/config.ts";
import { installMesh } from "../../stacks/mesh.ts";
import { planRelease } from "../../stacks/release-plan.ts";
import { releaseServices } from "../../stacks/release.ts";
import { kubeconfigFile } from "./fixtures.ts";
import { recordProgram, type Recording } from "./mocks.ts";

/** What the program registers with the config of an example. */
export async function previewedExample(name: string): Promise<Recording> {
  const file = new URL(`../../examples/${name}/Pulumi.${name}.yaml`, import.meta.url);
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
