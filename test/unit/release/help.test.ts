import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const help = (...args: readonly string[]) =>
  spawnSync(process.execPath, [path.join(root, "release/cli.ts"), ...args, "--help"], {
    cwd: root,
    encoding: "utf8",
  }).stdout;

it("release --help lists the verbs for people, without the guard's, which runs in its pod", () => {
  expect(help()).toMatch(/^ {2}zero /m);
  expect(help()).not.toMatch(/^ {2}guard /m);
  expect(help("guard")).toMatch(/^Usage: release guard /);
});
