import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cgroup, parseHierarchies, type Hierarchy } from "../clusters/cgroups.ts";

describe("cgroup trees of a machine", () => {
  it("are one per controller on version 1, beside an empty one of version 2", () => {
    const mountinfo = [
      "30 20 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
      "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct",
      "32 30 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd",
      "33 30 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    ].join("\n");
    expect(parseHierarchies(mountinfo)).toEqual([
      { mount: "/sys/fs/cgroup/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
      { mount: "/sys/fs/cgroup/systemd", version: 1, controllers: ["name=systemd"] },
      { mount: "/sys/fs/cgroup/unified", version: 2, controllers: [] },
    ]);
  });

  it("are a single one on version 2", () => {
    const mountinfo =
      "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    expect(parseHierarchies(mountinfo)).toEqual([
      { mount: "/sys/fs/cgroup", version: 2, controllers: [] },
    ]);
  });
});

describe("a cgroup", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), "cgroups-"));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  /** A folder that looks like a cgroup, as far as it can be made without the kernel. */
  async function fake(folder: string, files: Record<string, string>): Promise<void> {
    await mkdir(path.join(root, folder), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      await writeFile(path.join(root, folder, name), text);
    }
  }
  const read = (file: string) => readFile(path.join(root, file), "utf8");
  const tree = (version: 1 | 2, ...controllers: string[]): Hierarchy[] => [
    { mount: root, version, controllers },
  ];

  it("of version 1 gets the processors and memory nodes of the one above", async () => {
    await fake(".", { "cpuset.cpus": "0-1\n", "cpuset.mems": "0\n" });
    await fake("lab", { "cpuset.cpus": "1\n", "cpuset.mems": "\n" });
    await fake("lab/a", { "cpuset.cpus": "", "cpuset.mems": "" });
    await new Cgroup("lab/a", tree(1, "cpuset")).make();
    expect(await read("lab/cpuset.cpus")).toBe("1\n");
    expect(await read("lab/cpuset.mems")).toBe("0\n");
    expect(await read("lab/a/cpuset.cpus")).toBe("1\n");
  });

  it("of version 2 gets every controller of those above, but enables none for itself", async () => {
    await fake(".", { "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "cpu\n" });
    await fake("lab", { "cgroup.controllers": "cpu\n", "cgroup.subtree_control": "" });
    await fake("lab/a", { "cgroup.subtree_control": "" });
    await new Cgroup("lab/a", tree(2)).make();
    expect(await read("cgroup.subtree_control")).toBe("+memory");
    expect(await read("lab/cgroup.subtree_control")).toBe("+cpu");
    expect(await read("lab/a/cgroup.subtree_control")).toBe("");
  });

  it("knows the processes in it and below, each once, without those of other pid namespaces", async () => {
    await fake("lab", { "cgroup.procs": "12\n0\n" });
    await fake("lab/a/b", { "cgroup.procs": "7\n12\n" });
    await fake("other", { "cgroup.procs": "99\n" });
    expect(await new Cgroup("lab", tree(1)).processes()).toEqual([7, 12]);
    expect(await new Cgroup("none", tree(1)).processes()).toEqual([]);
  });

  it.each([
    [1 as const, "cache 5000\ntotal_rss 100\ntotal_mapped_file 20\n"],
    [2 as const, "file 5000\nanon 100\nfile_mapped 20\n"],
  ])("of version %i counts memory without caches", async (version, stat) => {
    await fake("lab", { "memory.stat": stat });
    expect(await new Cgroup("lab", tree(version, "memory")).memory()).toBe(120);
  });

  it("goes away with all below", async () => {
    await mkdir(path.join(root, "lab/a/b"), { recursive: true });
    const cgroup = new Cgroup("lab", tree(1));
    expect(cgroup.exists()).toBe(true);
    await cgroup.remove();
    expect(cgroup.exists()).toBe(false);
  });
});
