import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureInotifyInstances } from "../clusters/inotify.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "inotify-"));
  file = path.join(folder, "max_user_instances");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("ensureInotifyInstances", () => {
  it("raises a limit that is too low, and says so", async () => {
    await writeFile(file, "128\n");
    expect(await ensureInotifyInstances(file)).toBe(
      "raised fs.inotify.max_user_instances from 128 to 1024",
    );
    expect(await readFile(file, "utf8")).toBe("1024\n");
  });

  it("leaves a higher limit alone", async () => {
    await writeFile(file, "8192\n");
    expect(await ensureInotifyInstances(file)).toBeUndefined();
    expect(await readFile(file, "utf8")).toBe("8192\n");
  });

  it("names the kernel parameter where it cannot be set", async () => {
    // A parameter that nobody may write stands in for a machine that does not allow it.
    await expect(ensureInotifyInstances("/proc/sys/kernel/cap_last_cap")).rejects.toThrow(
      "set the kernel parameter fs.inotify.max_user_instances to 1024",
    );
  });
});
