import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withCopy, withNumber } from "../../../release/config-file.ts";

const KEY = "istio-canary:weight";
const MODULE = path.join(import.meta.dirname, "../../../release/config-file.ts");
const TEXT =
  "config:\n  istio-canary:weight: 10\n  istio-canary:kubeconfig: ~/.kube/config # ours\n";

describe("a number in a stack's config file", () => {
  it.each([
    ["a plain one", TEXT, TEXT.replace("10", "30")],
    [
      "a quoted one",
      'config:\n  "istio-canary:weight": "10"\n',
      'config:\n  "istio-canary:weight": 30\n',
    ],
    [
      "one with a comment",
      "config:\n  istio-canary:weight: 10 # now\n",
      "config:\n  istio-canary:weight: 30 # now\n",
    ],
    ["none", "config: # ours\n  a: 1\n", "config: # ours\n  istio-canary:weight: 30\n  a: 1\n"],
  ])("is set: %s", (_, before, after) => {
    expect(withNumber(before, KEY, 30)).toBe(after);
  });

  it("is not guessed at in a file that is written in another way", () => {
    expect(() => withNumber("config: { istio-canary:weight: 10 }\n", KEY, 30)).toThrow(
      "istio-canary:weight cannot be set to 30 in the config file: put it on its own line below config:",
    );
  });
});

describe("a copy of a stack's config file", () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "copy-"));
    file = path.join(dir, "Pulumi.prod.yaml");
    await writeFile(file, TEXT);
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("has another weight, is its owner's alone, and goes with what it was for", async () => {
    let copy = "";
    const failed = withCopy(file, KEY, 30, async (at) => {
      copy = at;
      expect(await readFile(at, "utf8")).toBe(TEXT.replace("10", "30"));
      expect((await stat(at)).mode & 0o777).toBe(0o600);
      throw new Error("the preview has failed");
    });
    await expect(failed).rejects.toThrow("the preview has failed");
    expect(existsSync(path.dirname(copy))).toBe(false);
    expect(await readFile(file, "utf8")).toBe(TEXT);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "goes when %s ends the command",
    async (signal) => {
      const script = `import { withCopy } from ${JSON.stringify(MODULE)};
      setInterval(() => undefined, 1000);
      await withCopy(process.argv[1], "${KEY}", 30, (copy) => {
        console.log(copy);
        return new Promise(() => undefined);
      });`;
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script, file]);
      const copy = await new Promise<string>((resolve) => {
        child.stdout.once("data", (data: Buffer) => {
          resolve(data.toString().trim());
        });
      });
      expect(existsSync(copy)).toBe(true);
      child.kill(signal);
      const ended = await new Promise((resolve) =>
        child.once("exit", (_, by) => {
          resolve(by);
        }),
      );
      expect(ended).toBe(signal);
      expect(existsSync(path.dirname(copy))).toBe(false);
      expect(await readFile(file, "utf8")).toBe(TEXT);
    },
  );
});
