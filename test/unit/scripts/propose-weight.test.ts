import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const SCRIPT = path.resolve(import.meta.dirname, "../../../scripts/propose-weight.sh");
const FILE = "Pulumi.prod.yaml";

let dir: string;
let bare: string;
let clone: string;

const git = async (cwd: string, ...args: string[]) => (await execa("git", args, { cwd })).stdout;
const at = (weight: number) => `config:\n  istio-canary:weight: ${weight}\n`;
const propose = async (env: Readonly<Record<string, string>> = {}, ...args: string[]) => {
  // Whatever pipeline runs this test is none of the script's concern.
  const none = { GITLAB_CI: "", GH_TOKEN: "", CI_DEFAULT_BRANCH: "main" };
  return (
    await execa(SCRIPT, args.length > 0 ? args : ["prod"], { cwd: clone, env: { ...none, ...env } })
  ).stdout;
};
const proposed = () => git(bare, "show", `weight/prod:${FILE}`);

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "propose-weight-"));
  [bare, clone] = [path.join(dir, "bare"), path.join(dir, "clone")];
  await git(dir, "init", "--quiet", "--bare", "--initial-branch", "main", bare);
  await git(dir, "clone", "--quiet", bare, clone);
  await writeFile(path.join(clone, FILE), at(0));
  await git(clone, "add", ".");
  const who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  await git(clone, ...who, "commit", "--quiet", "--message", "weight 0");
  await git(clone, "push", "--quiet", "origin", "HEAD:main");
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

describe("the proposal of a weight", () => {
  it("is a branch with one commit, and main stays as it is", async () => {
    await writeFile(path.join(clone, FILE), at(100));
    await writeFile(path.join(clone, "release-report.html"), "not to be committed");
    expect(await propose()).toBe(
      "prod: weight 100, as in the clusters: proposed on branch weight/prod",
    );
    expect(`${await proposed()}\n`).toBe(at(100));
    expect(await git(bare, "log", "--format=%s", "main..weight/prod")).toBe(
      "prod: weight 100, as in the clusters",
    );
    expect(await git(bare, "diff", "--name-only", "main", "weight/prod")).toBe(FILE);
    expect(`${await git(bare, "show", `main:${FILE}`)}\n`).toBe(at(0));
  });

  it("is replaced by the next one", async () => {
    await writeFile(path.join(clone, FILE), at(30));
    await propose();
    await git(clone, "switch", "--quiet", "--detach", "origin/main");
    await writeFile(path.join(clone, FILE), at(100));
    await propose();
    expect(`${await proposed()}\n`).toBe(at(100));
    expect(await git(bare, "rev-list", "--count", "main..weight/prod")).toBe("1");
  });

  it("is of the weight that is given, and all else in the file stays", async () => {
    const text = (weight: number) =>
      `# ours\nconfig:\n  "istio-canary:weight": ${weight} # the phase\n  istio-canary:phases: [10, 100]\n`;
    await writeFile(path.join(clone, FILE), text(0));
    await git(clone, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qam", "x");
    expect(await propose({}, "--show", "prod")).toBe("0");
    await propose({}, "prod", "100");
    expect(`${await proposed()}\n`).toBe(text(100));
    expect(await propose({}, "--show", "prod")).toBe("100");
  });

  it("stays where it has a canary that git has not, and a run that knows nothing of it changes nothing", async () => {
    const withCanary = (weight: number) => `${at(weight)}  istio-canary:services: [canary]\n`;
    await writeFile(path.join(clone, FILE), withCanary(30));
    await propose();
    await git(clone, "switch", "--quiet", "--detach", "origin/main");
    expect(await propose()).toBe(
      `${FILE} has the weight that the clusters have.\nThe proposal on branch weight/prod stays: it has more than a weight. Merge it, or close it.`,
    );
    expect(`${await proposed()}\n`).toBe(withCanary(30));
    // Merged, with another weight since.
    await git(clone, "push", "--quiet", "origin", "origin/weight/prod:main");
    await git(clone, "fetch", "--quiet", "origin");
    await git(clone, "switch", "--quiet", "--detach", "origin/main");
    await writeFile(path.join(clone, FILE), withCanary(100));
    const who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    await git(clone, ...who, "commit", "--quiet", "--all", "--message", "weight 100");
    expect(await propose()).toContain("The proposal on branch weight/prod is withdrawn.");
    await expect(proposed()).rejects.toThrow("weight/prod");
  });

  it("finds the file of a stack that is named with its organization", async () => {
    expect(await propose({}, "--show", "organization/istio-canary/prod")).toBe("0");
  });

  it("takes nothing for a weight that is code", async () => {
    const code = "0/w pwned\ns/x/";
    await expect(propose({}, "prod", code)).rejects.toThrow(
      "is no weight: write a whole number from 0 to 100",
    );
    expect(await readFile(path.join(clone, FILE), "utf8")).toBe(at(0));
    expect(await git(clone, "status", "--short")).toBe("");
  });

  it("is refused where the file has no weight", async () => {
    await writeFile(path.join(clone, FILE), "config: {}\n");
    await expect(propose({}, "prod", "100")).rejects.toThrow(
      "Pulumi.prod.yaml has no weight on a line of its own: write one below config:",
    );
  });

  it("is not made where git has the weight", async () => {
    expect(await propose()).toBe(`${FILE} has the weight that the clusters have.`);
    expect(await git(bare, "branch", "--list")).toBe("* main");
  });

  it("is withdrawn once git has the weight after all", async () => {
    await writeFile(path.join(clone, FILE), at(30));
    await propose();
    await git(clone, "switch", "--quiet", "--detach", "origin/main");
    expect(await propose()).toBe(
      `${FILE} has the weight that the clusters have.\nThe proposal on branch weight/prod is withdrawn.`,
    );
    expect(await git(bare, "branch", "--list")).toBe("* main");
  });

  it("is of a weight as Pulumi writes it, in quotes", async () => {
    const text = (weight: number) => `config:\n  istio-canary:weight: "${weight}"\n`;
    await writeFile(path.join(clone, FILE), text(30));
    expect(await propose({}, "--show", "prod")).toBe("30");
    await propose({}, "prod", "100");
    expect(`${await proposed()}\n`).toBe(text(100));
  });

  it("names the weight of a key in quotes, too", async () => {
    await writeFile(path.join(clone, FILE), 'config:\n  "istio-canary:weight": 30\n');
    expect(await propose()).toBe(
      "prod: weight 30, as in the clusters: proposed on branch weight/prod",
    );
  });

  it.each([
    ["", "pr create --head weight/prod --title prod: weight 30, as in the clusters --body"],
    ["7", "pr edit 7 --title prod: weight 30, as in the clusters"],
  ])("is a pull request in GitHub: a new one, unless one is open (%j)", async (open, told) => {
    // It tells what it was called with, and knows pull requests that are open as GitHub does.
    const gh = `#!/bin/sh\necho "$*" >> ${dir}/calls\n[ "$2" = list ] && echo "${open}"\nexit 0\n`;
    await writeFile(path.join(dir, "gh"), gh, { mode: 0o755 });
    await writeFile(path.join(clone, FILE), at(30));
    await propose({ GH_TOKEN: "t", PATH: `${dir}:${process.env["PATH"] ?? ""}` });
    const calls = (await readFile(path.join(dir, "calls"), "utf8")).trim().split("\n");
    expect(calls[0]).toBe("pr list --head weight/prod --state open --json number --jq .[].number");
    expect(calls[1]).toContain(told);
    expect(calls).toHaveLength(2);
  });

  it("is a merge request in GitLab, by options of the push", async () => {
    const told = path.join(dir, "told");
    await git(bare, "config", "receive.advertisePushOptions", "true");
    const hook = `#!/bin/sh\nenv | grep '^GIT_PUSH_OPTION_[0-9]' | sort > ${told}\n`;
    await writeFile(path.join(bare, "hooks", "post-receive"), hook, { mode: 0o755 });
    await writeFile(path.join(clone, FILE), at(30));
    await propose({ GITLAB_CI: "true" });
    expect((await readFile(told, "utf8")).trim().split("\n")).toEqual([
      "GIT_PUSH_OPTION_0=merge_request.create",
      "GIT_PUSH_OPTION_1=merge_request.target=main",
      "GIT_PUSH_OPTION_2=merge_request.title=prod: weight 30, as in the clusters",
    ]);
  });
});
