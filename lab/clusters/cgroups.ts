import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { until } from "../../lib/until.ts";

/** One mounted tree of cgroups: version 1 has one per controller, version 2 a single one. */
export interface Hierarchy {
  readonly mount: string;
  readonly version: 1 | 2;
  /** Controllers of a version 1 tree, as its mount options name them; empty for version 2. */
  readonly controllers: readonly string[];
}

/** The cgroup trees in the text of /proc/self/mountinfo. */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found = mountinfo
    .split("\n")
    .map((line) => line.split(" - ").map((half) => half.split(" ")))
    .flatMap(([before = [], after = []]): Hierarchy[] => {
      const mount = before[4] ?? "";
      const [type, , options = ""] = after;
      if (type === "cgroup2") return [{ mount, version: 2, controllers: [] }];
      if (type !== "cgroup") return [];
      const controllers = options.split(",").filter((option) => option !== "rw" && option !== "ro");
      return [{ mount, version: 1, controllers }];
    });
  return [...new Map(found.map((hierarchy) => [hierarchy.mount, hierarchy])).values()];
}

/** A cgroup by its path from the root, in every tree of the machine at once. */
export class Cgroup {
  readonly #hierarchies: readonly Hierarchy[];
  /** Path from the root of each tree, without a leading slash. */
  readonly path: string;

  constructor(
    cgroupPath: string,
    hierarchies: readonly Hierarchy[] = parseHierarchies(
      readFileSync("/proc/self/mountinfo", "utf8"),
    ),
  ) {
    this.path = cgroupPath;
    this.#hierarchies = hierarchies;
  }

  child(name: string): Cgroup {
    return new Cgroup(path.join(this.path, name), this.#hierarchies);
  }

  /** The folder of this cgroup in each tree. */
  get folders(): string[] {
    return this.#hierarchies.map((hierarchy) => path.join(hierarchy.mount, this.path));
  }

  /**
   * Makes the cgroup where it is missing. On version 1 a cpuset without processors and memory nodes
   * takes no process, so they are copied from above; on version 2 controllers must be enabled in every
   * cgroup above.
   */
  async make(): Promise<void> {
    const names = this.path.split("/");
    for (const hierarchy of this.#hierarchies) {
      let folder = hierarchy.mount;
      for (const name of names) {
        const above = folder;
        folder = path.join(folder, name);
        if (hierarchy.version === 2) await enableControllers(above);
        await mkdir(folder, { recursive: true });
        if (hierarchy.controllers.includes("cpuset")) {
          for (const file of ["cpuset.cpus", "cpuset.mems"]) {
            const value = await readFile(path.join(above, file), "utf8");
            const own = await readFile(path.join(folder, file), "utf8");
            if (own.trim() === "") await writeFile(path.join(folder, file), value);
          }
        }
      }
    }
  }

  /** Every process in the cgroup and, unless told otherwise, in all below. */
  async processes({ below = true } = {}): Promise<number[]> {
    const pids = new Set<number>();
    for (const folder of this.folders) {
      for (const group of below ? await foldersBelow(folder) : [folder]) {
        for (const line of (await readIfThere(path.join(group, "cgroup.procs"))).split("\n")) {
          // 0 is a process outside our own pid namespace, so not the lab's.
          if (line !== "" && line !== "0") pids.add(Number(line));
        }
      }
    }
    return [...pids].sort((one, other) => one - other);
  }

  /** Kills every process in the cgroup and all below, and waits until none is left. */
  async kill(): Promise<void> {
    await until(
      `the processes in cgroup ${this.path} to end`,
      async () => {
        const pids = await this.processes();
        for (const pid of pids) killIfThere(pid);
        if (pids.length > 0) throw new Error(`still there: ${pids.join(", ")}`);
      },
      { timeoutMs: 30_000, everyMs: 50 },
    );
  }

  /** Removes the cgroup and all below; they must hold no process. */
  async remove(): Promise<void> {
    await until(
      `cgroup ${this.path} to be removed`,
      async () => {
        for (const folder of this.folders) {
          for (const group of (await foldersBelow(folder)).reverse()) await rmdirIfThere(group);
        }
      },
      { timeoutMs: 30_000 },
    );
  }

  /** Whether the cgroup is there in any tree. */
  exists(): boolean {
    return this.folders.some((folder) => existsSync(folder));
  }

  /** Memory of all processes in the cgroup and below in bytes, caches of files left out. */
  async memory(): Promise<number> {
    for (const [index, folder] of this.folders.entries()) {
      const hierarchy = this.#hierarchies[index];
      const lines = (await readIfThere(path.join(folder, "memory.stat"))).split("\n");
      if (lines.length < 2) continue;
      const stat = new Map(lines.map((line) => line.split(" ") as [string, string]));
      const keys =
        hierarchy?.version === 1 ? ["total_rss", "total_mapped_file"] : ["anon", "file_mapped"];
      return keys.reduce((sum, key) => sum + Number(stat.get(key) ?? 0), 0);
    }
    return 0;
  }
}

async function enableControllers(folder: string): Promise<void> {
  const file = path.join(folder, "cgroup.subtree_control");
  const available = (await readFile(path.join(folder, "cgroup.controllers"), "utf8")).trim();
  const enabled = (await readFile(file, "utf8")).trim().split(" ");
  const missing = available.split(" ").filter((name) => name !== "" && !enabled.includes(name));
  if (missing.length === 0) return;
  try {
    await writeFile(file, missing.map((name) => `+${name}`).join(" "));
  } catch (error) {
    throw new Error(
      `Cannot enable the cgroup controllers ${missing.join(", ")} in ${folder}: it holds processes itself. ` +
        "In a container, start it with the machine's cgroup namespace (docker run --cgroupns=host --privileged)",
      { cause: error },
    );
  }
}

async function foldersBelow(folder: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
  const below = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => foldersBelow(path.join(folder, entry.name))),
  );
  return [folder, ...below.flat()];
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isGone(error)) return "";
    throw error;
  }
}

async function rmdirIfThere(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "");
}
