import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

interface Step {
  readonly name?: string;
  readonly run?: string;
}

const root = path.resolve(import.meta.dirname, "../../..");
const FILE = "Pulumi.prod.yaml";

let dir: string;
let checkout: string;

/** Runs the script of a step in the checkout, in the shell that GitHub takes. @returns its outputs */
async function step(
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const { jobs } = load(
    await readFile(path.join(root, ".github/workflows/rollout.yml"), "utf8"),
  ) as { readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>> };
  const found = Object.values(jobs)
    .flatMap(({ steps }) => steps)
    .find((each) => each.name === name);
  const output = path.join(dir, "output");
  await writeFile(output, "");
  await execa("bash", ["-e", "-c", found?.run ?? "false"], {
    cwd: checkout,
    env: {
      ...{ STACK: "prod", IMAGE: "", AGAIN: "", GITHUB_OUTPUT: output, GITHUB_REF_NAME: "main" },
      ...{ PATH: [path.join(dir, "bin"), process.env["PATH"]].join(path.delimiter) },
      ...env,
    },
    reject: false,
  });
  const lines = (await readFile(output, "utf8")).split("\n").filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

/** A command that notes its arguments, and exits with a code. */
async function command(name: string, code = 0): Promise<void> {
  const file = path.join(dir, "bin", name);
  await writeFile(
    file,
    `#!/bin/sh\nprintf '%s\\n' "$@" > ${path.join(dir, "called")}\nexit ${code}\n`,
  );
  await chmod(file, 0o755);
}
const called = async () => (await readFile(path.join(dir, "called"), "utf8")).trim().split("\n");

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "rollout-workflow-"));
  checkout = path.join(dir, "checkout");
  await mkdir(path.join(dir, "bin"));
  await mkdir(path.join(checkout, "scripts"), { recursive: true });
  const script = "scripts/propose-weight.sh";
  await writeFile(path.join(checkout, script), await readFile(path.join(root, script)), {
    mode: 0o755,
  });
  await writeFile(path.join(checkout, FILE), "config:\n  istio-canary:weight: 0\n");
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: checkout,
    });
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "the project");
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

describe("a run of rollout.yml", () => {
  it.each([
    [0, { ended: "true" }, { weight: "0" }],
    [1, {}, {}],
    [2, { ended: "true" }, { weight: "0" }],
    [124, { ended: "true", interrupted: "true" }, { weight: "0" }],
    [130, { ended: "true", interrupted: "true" }, { weight: "0" }],
  ])("with code %d leaves a proposal alone unless it knows better", async (code, run, told) => {
    await command("timeout", code);
    const outputs = await step("Roll out", {});
    expect(outputs).toEqual(run);
    expect(await step("Tell the weight", { ENDED: outputs["ended"] ?? "" })).toEqual({
      file: FILE,
      ...told,
    });
  });

  it("proposes what it has written, however it ended", async () => {
    await writeFile(path.join(checkout, FILE), "config:\n  istio-canary:weight: 30\n");
    for (const STACK of ["prod", "acme/prod", "acme/istio-canary/prod"]) {
      const told = await step("Tell the weight", { ENDED: "", STACK });
      expect(told).toEqual({ file: FILE, weight: "30" });
    }
  });

  it("goes on with the image that it has begun with, whatever there is in its name", async () => {
    await command("gh");
    const next = ["workflow", "run", "rollout.yml", "--ref", "main", "-f", "stack=prod"];
    await step("Go on in another run", {});
    expect(await called()).toEqual(next);
    const image = "user-service=registry:5000/a b;$(touch broken)";
    await step("Go on in another run", { IMAGE: image });
    expect(await called()).toEqual([...next, "-f", `image=${image}`]);
  });
});
