import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { raiseKernelLimits } from "../clusters/kernel-limits.ts";

const INOTIFY = "fs/inotify/max_user_instances";
const NEIGHBOURS = [1, 2, 3].map((n) => `net/ipv4/neigh/default/gc_thresh${n}`);
// A parameter that nobody may write stands in for a machine that does not allow it.
const UNWRITABLE = "/proc/sys/kernel/cap_last_cap";

let folder: string;

async function set(name: string, value: number): Promise<void> {
  await writeFile(path.join(folder, name), `${value}\n`);
}

async function values(...names: readonly string[]): Promise<readonly string[]> {
  return Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
}

async function makeUnwritable(name: string): Promise<void> {
  await rm(path.join(folder, name), { force: true });
  await symlink(UNWRITABLE, path.join(folder, name));
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "kernel-limits-"));
  for (const name of [INOTIFY, ...NEIGHBOURS]) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await set(name, 128);
  }
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("raiseKernelLimits", () => {
  it("raises limits that are too low, and says so", async () => {
    expect(await raiseKernelLimits(folder)).toEqual([
      "raised fs.inotify.max_user_instances from 128 to 1024",
      "raised net.ipv4.neigh.default.gc_thresh3 from 128 to 16384",
      "raised net.ipv4.neigh.default.gc_thresh2 from 128 to 8192",
      "raised net.ipv4.neigh.default.gc_thresh1 from 128 to 4096",
    ]);
    expect(await values(INOTIFY, ...NEIGHBOURS)).toEqual(["1024\n", "4096\n", "8192\n", "16384\n"]);
    expect(await raiseKernelLimits(folder)).toEqual([]);
  });

  it("leaves higher limits alone", async () => {
    for (const name of [INOTIFY, ...NEIGHBOURS]) await set(name, 80_000);
    expect(await raiseKernelLimits(folder)).toEqual([]);
    expect(new Set(await values(INOTIFY, ...NEIGHBOURS))).toEqual(new Set(["80000\n"]));
  });

  it("names the kernel parameter that the lab needs where it cannot be set", async () => {
    await makeUnwritable(INOTIFY);
    await expect(raiseKernelLimits(folder)).rejects.toThrow(
      "inotify instances for each user, too few for the proxies of the lab, and does not let this be changed from here: " +
        "set the kernel parameter fs.inotify.max_user_instances to 1024",
    );
  });

  it("says which limit stays low for many pods", async () => {
    await makeUnwritable("net/ipv4/neigh/default/gc_thresh3");
    expect(await raiseKernelLimits(folder)).toContainEqual(
      expect.stringMatching(
        /^net\.ipv4\.neigh\.default\.gc_thresh3 stays at \d+, since it cannot be changed from here: it takes 16384 for hundreds of pods$/,
      ),
    );
  });

  it("leaves out what only the machine's own network namespace has", async () => {
    for (const name of NEIGHBOURS) await rm(path.join(folder, name));
    expect(await raiseKernelLimits(folder)).toEqual([
      "raised fs.inotify.max_user_instances from 128 to 1024",
    ]);
    await rm(path.join(folder, INOTIFY));
    await expect(raiseKernelLimits(folder)).rejects.toThrow("ENOENT");
  });
});
