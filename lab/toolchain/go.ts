import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import type { Step } from "./steps.ts";

/** A Go module of this folder, whose go.mod and go.sum pin every byte that goes into its programs. */
interface GoModule {
  /** Its folder here, and its name. */
  readonly name: string;
  /** What to build: packages, or `tool` for all tools of go.mod. */
  readonly packages: readonly string[];
  /** The programs that it gives, and the file of each: one binary may be several programs. */
  readonly programs: Readonly<Record<string, string>>;
  /** Build tags. @default none */
  readonly tags?: readonly string[];
  /** String variables set by the linker, by import path and name. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A module, and the artifact with its programs. */
export interface GoBuild extends GoModule {
  readonly built: Artifact;
}

/**
 * Static programs, compiled fast rather than made for a debugger: `-dwarf=false` saves a tenth of the
 * time, and a heap that may grow to five times its live size (GOGC) another fifth.
 */
const FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"];
const LINK_FLAGS = "-s -w";
const ENV = { CGO_ENABLED: "0", GOFLAGS: "", GOGC: "400" };

/** `cacheDir`/go is where bootstrap.sh puts a Go of its own when the machine has none or an old one. */
function goEnvironment(cacheDir: string): Record<string, string> {
  return { ...ENV, PATH: [join(cacheDir, "go", "bin"), process.env["PATH"] ?? ""].join(delimiter) };
}

function compileFlags({ tags = [] }: GoModule): readonly string[] {
  return tags.length === 0 ? FLAGS : [...FLAGS, `-tags=${tags.join(",")}`];
}

export function goBuild(cacheDir: string, module: GoModule): GoBuild {
  const directory = moduleDirectory(module.name);
  const inputs = [
    sources(directory),
    module,
    FLAGS,
    LINK_FLAGS,
    ENV,
    goVersion(cacheDir, directory),
  ];
  return { ...module, built: artifact(cacheDir, module.name, inputs) };
}

/** Every file of a folder, by its path in it: what a build's key is made from. */
export function sources(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(
    files.map((file) => [relative(directory, file), readFileSync(file, "utf8")]),
  );
}

/** Downloads the modules that a build needs, so that the network is not waited for while compiling. */
export function downloadStep(cacheDir: string, module: GoBuild, after: readonly Step[]): Step {
  return {
    name: `go modules of ${module.name}`,
    after,
    isDone: () => isBuilt(module.built),
    work: async ({ progress, run }) => {
      let modules = 0;
      await run("go", ["list", "-deps", ...compileFlags(module), ...module.packages], {
        cwd: moduleDirectory(module.name),
        env: goEnvironment(cacheDir),
        onLine: (line) => {
          if (line.startsWith("go: downloading ")) progress(`${++modules} modules`);
        },
      });
    },
  };
}

export function buildStep(cacheDir: string, module: GoBuild, after: readonly Step[]): Step {
  return {
    name: `build ${module.name}`,
    after,
    isDone: () => isBuilt(module.built),
    work: ({ progress, run }) =>
      build(module.built, async (directory) => {
        const variables = Object.entries(module.variables ?? {}).map(
          ([name, value]) => `-X ${name}=${value}`,
        );
        const linkFlags = [LINK_FLAGS, ...variables].join(" ");
        let packages = 0;
        await run(
          "go",
          [
            "build",
            "-v",
            ...compileFlags(module),
            `-ldflags=${linkFlags}`,
            "-o",
            `${directory}/`,
            ...module.packages,
          ],
          {
            cwd: moduleDirectory(module.name),
            env: goEnvironment(cacheDir),
            // `go build -v` prints the import path of each package that it compiles.
            onLine: (line) => {
              if (!line.startsWith("go: ")) progress(`${++packages} packages compiled, ${line}`);
            },
          },
        );
        const built = readdirSync(directory);
        const missing = Object.values(module.programs).filter((file) => !built.includes(file));
        if (missing.length > 0) {
          throw new Error(`go build made ${built.join(", ")}, but not ${missing.join(", ")}`);
        }
      }),
  };
}

/** Folder with the source of a dependency, read-only. */
export function dependencyDirectory(cacheDir: string, module: string, dependency: string): string {
  return go(cacheDir, moduleDirectory(module), ["list", "-m", "-f", "{{.Dir}}", dependency]);
}

/** The version of a dependency that a module's go.mod asks for, without its `v`. */
export function dependencyVersion(module: string, dependency: string): string {
  const goMod = readFileSync(join(moduleDirectory(module), "go.mod"), "utf8");
  const version = goMod
    .split("\n")
    .map((line) => /^(?:require)?\s+(\S+) v(\S+)/.exec(line))
    .find((match) => match?.[1] === dependency)?.[2];
  if (version === undefined) throw new Error(`${module}/go.mod does not require ${dependency}`);
  return version;
}

function goVersion(cacheDir: string, directory: string): string {
  return go(cacheDir, directory, ["env", "GOVERSION"]);
}

function go(cacheDir: string, cwd: string, args: readonly string[]): string {
  const env = { ...process.env, ...goEnvironment(cacheDir) };
  return execFileSync("go", args, { cwd, env, encoding: "utf8" }).trim();
}

function moduleDirectory(name: string): string {
  return join(import.meta.dirname, name);
}
