import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Project } from "./project.ts";
import { target } from "./target.ts";

// getPluginInfoAndPath in Pulumi's sdk/go/common/workspace/plugins.go prefers what is on PATH, with a warning.
test("pulumi takes the provider that the lab has put in place, and warns of none on PATH", async ({
  skip,
}) => {
  skip(!target.isLab, "which plugins are taken is the user's to say");
  const folder = await mkdtemp(path.join(tmpdir(), "standins-path-"));
  onTestFinished(async () => rm(folder, { recursive: true }));
  const file = path.join(folder, "pulumi-resource-kubernetes");
  await writeFile(file, "#!/bin/sh\necho this one is not to be started >&2\nexit 1\n", {
    mode: 0o755,
  });
  const project = await Project.create(folder);
  onTestFinished(async () => project.destroy());
  await project.program("");
  const text = await project.up();
  expect(text).toContain("created");
  expect(text).not.toMatch(/\$PATH|not to be started/);
});
