import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withCopy, withEntry, withNumber } from "../../../release/config-file.ts";

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

describe("an entry of a list in a stack's config file", () => {
  const LIST = "istio-canary:allow";
  const after = '  istio-canary:allow: ["skip-phase","retry-canary"]\n';
  it.each([
    ["without a list", TEXT, TEXT.replace("config:\n", `$&  ${LIST}: ["retry-canary"]\n`)],
    [
      "beside others",
      `config:\n  ${LIST}:\n    - skip-phase # ours\n  a: 1\n`,
      `config:\n${after}  a: 1\n`,
    ],
    [
      "beside the key",
      `config:\n  ${LIST}:\n  - skip-phase\n  a: 1\n`,
      `config:\n${after}  a: 1\n`,
    ],
    ["on one line", `config:\n  "${LIST}": [skip-phase]\n  a: 1\n`, `config:\n${after}  a: 1\n`],
    [
      "as pulumi config set writes it",
      `config:\n  ${LIST}: '["skip-phase"]'\n  a: 1\n`,
      `config:\n${after}  a: 1\n`,
    ],
    ["that is there", `config:\n${after}`, `config:\n${after}`],
  ])("is added: %s", (_, before, expected) => {
    expect(withEntry(before, LIST, "retry-canary")).toBe(expected);
  });

  it("is not guessed at in a file that is written in another way", () => {
    expect(() => withEntry(`config: { ${LIST}: [] }\n`, LIST, "retry-canary")).toThrow(
      "retry-canary cannot be added to istio-canary:allow in the config file: put the list on lines of its own below config:",
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
    const failed = withCopy(
      file,
      (text) => withNumber(text, KEY, 30),
      async (at) => {
        copy = at;
        expect(await readFile(at, "utf8")).toBe(TEXT.replace("10", "30"));
        expect((await stat(at)).mode & 0o777).toBe(0o600);
        throw new Error("the preview has failed");
      },
    );
    await expect(failed).rejects.toThrow("the preview has failed");
    expect(existsSync(path.dirname(copy))).toBe(false);
    expect(await readFile(file, "utf8")).toBe(TEXT);
  });

  /** A process that works with a copy, and another one beside it; it prints where the first is. */
  async function using(script: string) {
    const child = spawn(process.execPath, [
      "--input-type=module-typescript",
      "-e",
      `import { withCopy, withNumber } from ${JSON.stringify(MODULE)};
      import { onInterrupt } from ${JSON.stringify(path.join(path.dirname(MODULE), "on-interrupt.ts"))};
      const at = (weight) => (text) => withNumber(text, "${KEY}", weight);
      ${script}`,
      file,
    ]);
    const ended = once(child, "exit");
    const [data] = (await once(child.stdout, "data")) as [Buffer];
    const copy = data.toString().trim();
    expect(existsSync(copy)).toBe(true);
    return { child, copy, ended };
  }
  const FOR_EVER = `setInterval(() => undefined, 1000);
    const forEver = () => new Promise(() => undefined);
    void withCopy(process.argv[1], at(10), forEver);
    await withCopy(process.argv[1], at(30), (copy) => (console.log(copy), forEver()));`;

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "goes when %s ends the command, though there are two of them",
    async (signal) => {
      const { child, copy, ended } = await using(FOR_EVER);
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
      expect(existsSync(path.dirname(copy))).toBe(false);
      expect(await readFile(file, "utf8")).toBe(TEXT);
    },
  );

  it("leaves it to the command how it ends by an interrupt", async () => {
    const { child, copy, ended } = await using(`
      const stop = new Promise((resolve) => onInterrupt(() => setTimeout(resolve, 50)));
      const alive = setInterval(() => undefined, 1000);
      await withCopy(process.argv[1], at(30), (copy) => (console.log(copy), stop));
      clearInterval(alive);
      process.exitCode = 130;`);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(existsSync(path.dirname(copy))).toBe(false);
  });

  it("goes at the second interrupt of a command that has not ended at the first", async () => {
    const { child, copy, ended } = await using(
      `onInterrupt(() => console.log("stopping")); ${FOR_EVER}`,
    );
    child.kill("SIGINT");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await ended).toEqual([null, "SIGINT"]);
    expect(existsSync(path.dirname(copy))).toBe(false);
  });
});
