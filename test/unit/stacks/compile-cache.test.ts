import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const folder = mkdtempSync(path.join(tmpdir(), "compile-cache-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Where a program that begins with the cache has it. */
async function cacheOf(env: Record<string, string>): Promise<string> {
  const print = "console.log(require('node:module').getCompileCacheDir() ?? 'none')";
  const { stdout } = await execa(
    process.execPath,
    ["--import", "./stacks/compile-cache.ts", "--eval", print],
    { cwd: root, env: { NODE_COMPILE_CACHE: undefined, ...env } },
  );
  return stdout;
}

test("what Node compiles is kept beside the packages, or where the environment says", async () => {
  const own = path.join(root, "node_modules/.cache/compile");
  expect(path.dirname(await cacheOf({}))).toBe(own);
  expect(path.dirname(await cacheOf({ NODE_COMPILE_CACHE: folder }))).toBe(folder);
  expect(await cacheOf({ NODE_DISABLE_COMPILE_CACHE: "1" })).toBe("none");
});
