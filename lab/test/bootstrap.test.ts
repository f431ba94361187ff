import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** A checkout with two lock files, and an npm that notes how it is called and installs nothing. */
let checkout: string;
beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), "bootstrap-"));
  for (const folder of ["bin", "lab"]) mkdirSync(path.join(checkout, folder));
  cpSync(
    path.join(import.meta.dirname, "../bootstrap.sh"),
    path.join(checkout, "lab/bootstrap.sh"),
  );
  lock(".", "1");
  lock("lab", "1");
  npm(`rm -rf "$3/node_modules" && mkdir "$3/node_modules"`);
});
afterEach(() => {
  rmSync(checkout, { recursive: true });
});

function lock(folder: string, version: string): void {
  writeFileSync(path.join(checkout, folder, "package-lock.json"), version);
}

function npm(script: string): void {
  const file = path.join(checkout, "bin/npm");
  writeFileSync(file, `#!/bin/sh\necho "$@" >> calls\n${script}\n`);
  chmodSync(file, 0o755);
}

/** The folders and further arguments that npm was called with by `bootstrap.sh ARGUMENT`. */
async function installed(argument: string): Promise<string[]> {
  const calls = path.join(checkout, "calls");
  writeFileSync(calls, "");
  await execa("sh", [path.join(checkout, "lab/bootstrap.sh"), argument], {
    env: { PATH: `${path.join(checkout, "bin")}:${process.env["PATH"] ?? ""}` },
  });
  const lines = readFileSync(calls, "utf8").split("\n").slice(0, -1);
  return lines.map((line) =>
    line.replace(/^ci --prefix (\S+) --no-audit --no-fund --loglevel=error/, "$1"),
  );
}

describe("bootstrap.sh", () => {
  it("installs the project's packages and the lab's, and again only what has changed", async () => {
    expect(await installed("packages")).toEqual([".", "lab"]);
    expect(await installed("packages")).toEqual([]);
    lock("lab", "2");
    expect(await installed("packages")).toEqual(["lab"]);
    lock(".", "2");
    expect(await installed("packages")).toEqual(["."]);
  });

  it("installs nothing of the lab and no dev dependency for the commands", async () => {
    expect(await installed("commands")).toEqual([". --omit=dev"]);
    expect(await installed("commands")).toEqual([]);
    expect(await installed("packages")).toEqual([".", "lab"]);
    expect(await installed("commands")).toEqual([]);
  });

  it("tries again after an installation that has failed", async () => {
    npm(`mkdir -p "$3/node_modules" && exit 1`);
    await expect(installed("packages")).rejects.toThrow("exit code 1");
    await expect(installed("commands")).rejects.toThrow("exit code 1");
    npm(`mkdir -p "$3/node_modules"`);
    expect(await installed("packages")).toEqual([".", "lab"]);
  });
});
