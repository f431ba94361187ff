import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { artifact, build, isBuilt } from "../../toolchain/artifact.ts";

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), "artifact-test-"));
});
afterEach(() => {
  rmSync(cacheDir, { recursive: true });
});

describe("the key", () => {
  test("is the same for the same inputs, and another for any other", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        const keys = [artifact("/cache", "x", one).key, artifact("/cache", "x", other).key];
        expect(keys[0] === keys[1]).toBe(same);
      }),
    );
  });

  test("depends on the name", () => {
    expect(artifact("/cache", "x", 1).key).not.toBe(artifact("/cache", "y", 1).key);
  });

  test("is part of the folder's name", () => {
    const { key, directory } = artifact("/cache", "envoy", []);
    expect(directory).toBe(`/cache/envoy-${key}`);
  });
});

describe("a build", () => {
  const write = (text: string) => (directory: string) => writeFile(join(directory, "file"), text);
  const content = (directory: string) => readFileSync(join(directory, "file"), "utf8");

  test("makes the artifact once", async () => {
    const wanted = artifact(cacheDir, "x", []);
    await build(wanted, write("first"));
    await build(wanted, write("second"));
    expect(content(wanted.directory)).toBe("first");
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });

  test("that fails half-way leaves nothing, and the next one starts from scratch", async () => {
    const wanted = artifact(cacheDir, "x", []);
    const failing = build(wanted, async (directory) => {
      await write("half")(directory);
      throw new Error("no space");
    });
    await expect(failing).rejects.toThrow("no space");
    expect(isBuilt(wanted)).toBe(false);
    expect(readdirSync(cacheDir)).toEqual([]);

    await build(wanted, async (directory) => {
      expect(readdirSync(directory)).toEqual([]);
      await write("whole")(directory);
    });
    expect(content(wanted.directory)).toBe("whole");
  });

  test("is not seen before it is complete", async () => {
    const wanted = artifact(cacheDir, "x", []);
    await build(wanted, () => {
      expect(isBuilt(wanted)).toBe(false);
      return Promise.resolve();
    });
    expect(isBuilt(wanted)).toBe(true);
  });

  test("removes what a dead process left, and only that", async () => {
    // Above the largest process id that Linux gives.
    const dead = join(cacheDir, "tmp-99999999-x-0");
    const alive = join(cacheDir, `tmp-${process.ppid}-x-0`);
    mkdirSync(dead);
    mkdirSync(alive);
    await build(artifact(cacheDir, "y", []), write("whole"));
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(alive)).toBe(true);
  });

  test("keeps what another process has finished meanwhile", async () => {
    const wanted = artifact(cacheDir, "x", []);
    await build(wanted, async (directory) => {
      mkdirSync(wanted.directory);
      await write("theirs")(wanted.directory);
      await write("ours")(directory);
    });
    expect(content(wanted.directory)).toBe("theirs");
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });
});
