import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dependencyVersion, sources } from "../../toolchain/go.ts";

let module: string;
beforeEach(() => {
  module = mkdtempSync(join(tmpdir(), "go-test-"));
});
afterEach(() => {
  rmSync(module, { recursive: true });
});

test("every file of a module counts, with those in its folders", () => {
  writeFileSync(join(module, "go.sum"), "sums");
  writeFileSync(join(module, "go.mod"), "module x");
  mkdirSync(join(module, "cmd"));
  writeFileSync(join(module, "cmd", "main.go"), "package main");
  expect(Object.entries(sources(module))).toEqual([
    ["cmd/main.go", "package main"],
    ["go.mod", "module x"],
    ["go.sum", "sums"],
  ]);
});

test("versions are those of go.mod", () => {
  expect(dependencyVersion("kubernetes", "k8s.io/kubernetes")).toMatch(/^1\.\d+\.\d+$/);
  expect(dependencyVersion("istio", "github.com/coredns/coredns")).toMatch(/^1\.\d+\.\d+$/);
  expect(() => dependencyVersion("istio", "example.com/none")).toThrow(
    "istio/go.mod does not require example.com/none",
  );
});
