import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

const CLI = new URL("../../../preview/cli.ts", import.meta.url).pathname;
const EVERYTHING = new URL("golden/everything.json", import.meta.url).pathname;

/** A folder whose `pulumi` notes how it is called for a preview, and does as a test wants. */
const folder = mkdtempSync(path.join(tmpdir(), "preview-"));
const called = path.join(folder, "called");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** @param config what it prints of the stack's config, and whether it succeeds. @default nothing */
function pulumi(script: string, config = "exit 1"): void {
  const file = path.join(folder, "pulumi");
  writeFileSync(
    file,
    `#!/bin/sh\nif [ "$1" = config ]; then ${config}; exit 0; fi\necho "$@" > '${called}'\n${script}\n`,
  );
  chmodSync(file, 0o755);
}

const run = (args: readonly string[], input?: string) =>
  execa(process.execPath, [CLI, ...args], {
    env: { PATH: `${folder}:${process.env["PATH"] ?? ""}` },
    reject: false,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
  });

beforeEach(() => {
  pulumi("exit 9");
});

describe("the preview command", () => {
  it("renders what Pulumi previews, with all that stays as it is", async () => {
    pulumi(`cat '${EVERYTHING}'`);
    const { stdout, exitCode } = await run(["--stack", "prod"]);
    expect(readFileSync(called, "utf8")).toBe(
      "preview --json --show-sames --non-interactive --stack prod\n",
    );
    expect(stdout).toMatch(/^<!-- .* prod -->\n## Preview of stack `prod`\n[^]*### Traffic/);
    expect(exitCode).toBe(0);
  });

  it("leaves out the resources of clusters that are away, as the update does", async () => {
    const away = JSON.stringify({ "istio-canary:away": { value: '["cluster-b"]', secret: false } });
    pulumi(`cat '${EVERYTHING}'`, `echo '${away}'`);
    expect((await run(["--stack", "prod"])).exitCode).toBe(0);
    expect(readFileSync(called, "utf8")).toBe(
      "preview --json --show-sames --non-interactive --stack prod --exclude **:providers:kubernetes::cluster-b --exclude-dependents\n",
    );
  });

  it("prints the flags for that alone, for a pipeline's update, by the project's own key", async () => {
    const away = (cluster: string) => ({ value: JSON.stringify([cluster]), secret: false });
    const config = { "other:away": away("cluster-a"), "istio-canary:away": away("cluster-b") };
    pulumi("exit 9", `echo '${JSON.stringify(config)}'`);
    expect(await run(["--stack", "prod", "--flags"])).toMatchObject({
      stdout: "--exclude **:providers:kubernetes::cluster-b --exclude-dependents",
      exitCode: 0,
    });
  });

  it("renders a failed preview as one, and fails", async () => {
    pulumi(`echo '{"diagnostics": [{"severity": "error", "message": "no weight 25"}]}'; exit 255`);
    const { stdout, exitCode } = await run(["--stack", "prod"]);
    expect(stdout).toContain("## Preview of stack `prod` failed");
    expect(stdout).toContain("no weight 25");
    expect(exitCode).toBe(1);
  });

  it("says so when Pulumi gave no preview at all, passes its errors on, and fails", async () => {
    pulumi("echo 'error: no stack named prod found' >&2; exit 255");
    const { stdout, stderr, exitCode } = await run(["--stack", "prod"]);
    expect(stdout).toContain("## Preview of stack `prod` failed");
    expect(stderr).toContain("error: no stack named prod found");
    expect(exitCode).toBe(1);
  });

  it("reads a stored preview from a file or standard input, and runs nothing", async () => {
    const file = await run(["--stack", "prod", "--from", EVERYTHING]);
    const input = await run(["--stack", "prod", "--from", "-"], readFileSync(EVERYTHING, "utf8"));
    expect(file.exitCode).toBe(0);
    expect(file.stdout).toContain("### Traffic");
    expect(input.stdout).toBe(file.stdout);
  });

  it("refuses what is no preview, with what to give", async () => {
    for (const input of ["nothing", "{}", '{"name": "mine"}']) {
      const { stdout, stderr, exitCode } = await run(["--stack", "prod", "--from", "-"], input);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^preview: This is not the JSON of a preview: pass what /);
      expect(exitCode).toBe(1);
    }
  });

  it("takes a stored preview whose resources all stay, and one that has failed", async () => {
    const same = await run(["--stack", "prod", "--from", "-"], '{"changeSummary": {"same": 9}}');
    expect(same.stdout).toContain("No resource changes.");
    const diagnostics = [{ severity: "error", message: "no weight 25" }];
    const failed = await run(["--stack", "prod", "--from", "-"], JSON.stringify({ diagnostics }));
    expect(failed.stdout).toContain("no weight 25");
    expect([same.exitCode, failed.exitCode]).toEqual([0, 0]);
  });

  it("prints no flags for a stack whose config cannot be read, and says why", async () => {
    pulumi("exit 9", "echo \"error: no stack named 'nope' found\" >&2; exit 255");
    const { stdout, stderr, exitCode } = await run(["--stack", "nope", "--flags"]);
    expect(stdout).toBe("");
    expect(stderr).toBe("preview: error: no stack named 'nope' found");
    expect(exitCode).toBe(1);
  });

  it.each([{ more: [] }, { more: ["--flags"] }])(
    "says that the Pulumi CLI is missing, with $more",
    async ({ more }) => {
      const { stdout, stderr, exitCode } = await execa(
        process.execPath,
        [CLI, "--stack", "prod", ...more],
        { env: { PATH: "/nonexistent" }, reject: false },
      );
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^preview: The Pulumi CLI is not on the PATH\. Install it: /);
      expect(exitCode).toBe(1);
    },
  );
});
