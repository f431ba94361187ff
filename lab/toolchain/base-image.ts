import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import type { Layer } from "./image.ts";
import { APT_ENV, debianPackages } from "./packages.ts";
import type { Step } from "./steps.ts";

/** What the images made on this base call: the sidecar's init container iptables, the clients curl and awk, Node libstdc++. */
const INCLUDE = [
  "base-files",
  "base-passwd",
  "bash",
  "ca-certificates",
  "coreutils",
  "curl",
  "dash",
  "iptables",
  "libstdc++6",
  "mawk",
];

const EXCLUDE = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/info/*",
];

const HOOK = join(import.meta.dirname, "base-image.sh");

/** The file of a base image. */
const ROOT_TAR = "root.tar";

/** A package source of the machine's distribution. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** A root file system of the machine's own distribution; one file, root.tar. */
export function baseImage(cacheDir: string): Artifact {
  return artifact(cacheDir, "base", [codename(), INCLUDE, EXCLUDE, readFileSync(HOOK, "utf8")]);
}

/** The layer with it. */
export function baseLayer({ directory }: Artifact): Layer {
  return { tar: join(directory, ROOT_TAR) };
}

export function baseImageStep(base: Artifact): Step {
  return {
    name: "base image",
    after: [debianPackages],
    isDone: () => isBuilt(base),
    work: ({ progress, run }) =>
      build(base, async (directory) => {
        let sources = distributionSources(indexTargets(), codename());
        if (sources.length === 0) {
          progress("apt-get update");
          await run("apt-get", ["update"], { env: APT_ENV });
          sources = distributionSources(indexTargets(), codename());
        }
        if (sources.length === 0) {
          throw new Error(
            `apt's sources have none for ${codename()}, this machine's release: see apt-get indextargets`,
          );
        }
        progress(`mmdebstrap of ${codename()}`);
        await run("mmdebstrap", [
          "--variant=extract",
          `--include=${INCLUDE.join(",")}`,
          ...EXCLUDE.map((path) => `--dpkgopt=path-exclude=${path}`),
          `--extract-hook=sh ${HOOK} "$1"`,
          codename(),
          join(directory, ROOT_TAR),
          ...sources.map(
            ({ uri, suite, components }) => `deb ${uri} ${suite} ${components.join(" ")}`,
          ),
        ]);
      }),
  };
}

/** Format of `apt-get indextargets` that distributionSources() reads. */
const TARGET_FORMAT = "$(IDENTIFIER)\t$(REPO_URI)\t$(CODENAME)\t$(COMPONENT)";

function indexTargets(): string {
  return execFileSync("apt-get", ["indextargets", "--format", TARGET_FORMAT], { encoding: "utf8" });
}

/**
 * The distribution's own package sources among all that apt is set up with: the release `codename`
 * and its pockets (`bookworm-security`), not what others publish for it.
 *
 * @param targets what apt-get indextargets prints: identifier, address, code name, component
 */
export function distributionSources(targets: string, codename: string): AptSource[] {
  const sources = new Map<string, { uri: string; suite: string; components: string[] }>();
  for (const line of targets.split("\n")) {
    const [identifier, uri, suite, component] = line.split("\t");
    if (identifier !== "Packages" || !uri || !suite || !component) continue;
    if (suite !== codename && !suite.startsWith(`${codename}-`)) continue;
    const key = `${uri} ${suite}`;
    const source = sources.get(key) ?? { uri, suite, components: [] };
    if (!source.components.includes(component)) source.components.push(component);
    sources.set(key, source);
  }
  return [...sources.values()];
}

/** This machine's release, as in `bookworm`. */
function codename(): string {
  const name = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (name === undefined) {
    throw new Error(
      "/etc/os-release names no VERSION_CODENAME; the lab needs Debian or a relative",
    );
  }
  return name;
}
