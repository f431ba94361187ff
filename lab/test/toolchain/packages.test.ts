import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { missingPackages, PACKAGES } from "../../toolchain/packages.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "packages-test-"));
  writeFileSync(join(folder, "lab-runc"), "");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("a program on PATH is not missing, whichever package it came with", () => {
  const runc = { name: "runc", provides: "lab-runc" };
  expect(missingPackages([runc], `/nonexistent:${folder}`)).toEqual([]);
  expect(missingPackages([runc], "/nonexistent")).toEqual(["runc"]);
});

test("a file is looked for at its own place", () => {
  const here = { name: "here", provides: join(folder, "lab-runc") };
  const gone = { name: "gone", provides: join(folder, "other") };
  expect(missingPackages([here, gone], "")).toEqual(["gone"]);
});

test("each package is listed once, in order", () => {
  const names = PACKAGES.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
});
