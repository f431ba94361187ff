// @module-tag campaign
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { serverImage } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackKeys } from "../../lab/stack-file.ts";
import { until } from "../../lib/until.ts";
import { runJob, type JobRun, type Runner, type Values } from "../helpers/workflow.ts";
import { releaseCommand } from "./release-command.ts";
import { clusters, withOwnRelease } from "./release.ts";
import { target } from "./target.ts";

const settings = labSettings();
const release = withOwnRelease("git", { config: { phases: [30, 100] } });
const { stack, service, id } = release;
const FILE = `Pulumi.${stack}.yaml`;
const BRANCH = `weight/${stack}`;

/** Stands in for GitHub's own program: notes how it is called, and knows the pull request that it has opened. */
const GH = `#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> called
case "$1 $2" in
  "pr create") echo 7 > pull-request ;;
  "pr list") cat pull-request 2>/dev/null || true ;;
esac
`;

interface Service {
  readonly canary: Readonly<Record<string, unknown>>;
}

describe("the flow from a pull request to 100 % and back, by the workflows' own steps", () => {
  let folder: string;
  /** The clone of a person who makes pull requests. */
  let clone: string;
  let runner: Runner;
  let secrets: Values;
  const load: LoadClient[] = [];

  const git = async (...args: readonly string[]) =>
    (
      await execa("git", ["-c", "user.name=ann", "-c", "user.email=ann@example.com", ...args], {
        cwd: clone,
      })
    ).stdout;

  /** Merges what a person has changed in the stack's config into main. @returns the commit before */
  async function merge(title: string, keys: Readonly<Record<string, unknown>>): Promise<string> {
    await git("pull", "--quiet", "origin", "main");
    const before = await git("rev-parse", "HEAD");
    await setStackKeys(path.join(clone, FILE), keys);
    await git("commit", "--quiet", "--all", "--message", title);
    await git("push", "--quiet", "origin", "main");
    return before;
  }

  /** Merges the weight that is proposed. @returns the commit before */
  async function mergeProposed(): Promise<string> {
    await git("fetch", "--quiet", "origin");
    await git("pull", "--quiet", "origin", "main");
    const before = await git("rev-parse", "HEAD");
    await git("merge", "--quiet", "--no-ff", "--message", "the weight", `origin/${BRANCH}`);
    await git("push", "--quiet", "origin", "main", `:${BRANCH}`);
    await rm(path.join(folder, "bin", "pull-request"), { force: true });
    return before;
  }

  const config = async () => stackKeys(path.join(clone, FILE));
  const proposed = async (): Promise<string> => {
    await git("fetch", "--quiet", "--prune", "origin");
    return git("diff", "--unified=0", "origin/main", `origin/${BRANCH}`, "--", FILE);
  };
  const calls = async () => readFile(path.join(folder, "bin", "called"), "utf8").catch(() => "");

  /** What GitHub does on a push to main. */
  async function up(before: string): Promise<JobRun> {
    return succeeded(
      await runJob(runner, "up.yml", "up", {
        ...secrets,
        "matrix.stack": stack,
        "github.event.before": before,
        "github.sha": await git("rev-parse", "HEAD"),
        "github.actor": "ann",
      }),
    );
  }

  /** The workflow that somebody starts by hand. */
  async function rollout(
    image = "",
  ): Promise<{ readonly rollout: JobRun; readonly propose: JobRun }> {
    const values = {
      ...secrets,
      "inputs.stack": stack,
      "inputs.image": image,
      "inputs.again && '--again' || ''": "",
      "github.token": "a token",
    };
    const run = await runJob(runner, "rollout.yml", "rollout", values);
    expect(run.outputs["weight"], run.log).not.toBe("");
    const propose = await runJob(runner, "rollout.yml", "propose", {
      ...values,
      "needs.rollout.outputs.interrupted == 'true'": run.outputs["interrupted"] === "true",
    });
    return { rollout: run, propose: succeeded(propose) };
  }

  const drift = () => runJob(runner, "drift.yml", "drift", { ...secrets, "matrix.stack": stack });

  function succeeded(run: JobRun): JobRun {
    expect(run.failed, run.log).toBe(false);
    return run;
  }

  /** Every API server and Envoy gives a version that weight. */
  async function expectEverywhere(version: string, weight: number): Promise<void> {
    const weights = await confirmWeights(clusters, { ...service, canary: version }, weight);
    expect(weights.map(({ apiServer }) => apiServer)).toEqual(clusters.map(() => weight));
  }

  /** Git, Pulumi's state and the clusters have the same: drift.yml finds nothing. */
  async function expectEqual(version: string, weight: number): Promise<void> {
    await git("pull", "--quiet", "origin", "main");
    expect((await config())["weight"]).toBe(weight);
    await expectEverywhere(version, weight);
    succeeded(await drift());
  }

  /** A canary, as a person writes it into the config. */
  async function canary(version: string, tag: string) {
    const [found] = (await config())["services"] as [Service];
    return {
      services: [{ ...found, canary: { ...found.canary, version, image: serverImage(tag) } }],
    };
  }

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "git-flow-"));
    const [origin, bin] = [path.join(folder, "origin.git"), path.join(folder, "bin")];
    clone = path.join(folder, "clone");
    await mkdir(bin);
    await writeFile(path.join(bin, "gh"), GH);
    await chmod(path.join(bin, "gh"), 0o755);
    const environment = target.environment();
    runner = {
      ...{ origin, folder: path.join(folder, "jobs") },
      nodeModules: path.join(settings.root, "node_modules"),
      env: {
        ...environment,
        PATH: [bin, environment["PATH"]].join(path.delimiter),
        // Whatever pipeline runs this test.
        ...{ GITLAB_CI: "", GH_TOKEN: "" },
      },
    };
    secrets = {
      "secrets.PULUMI_ACCESS_TOKEN": "",
      "vars.PULUMI_BACKEND_URL": environment["PULUMI_BACKEND_URL"] ?? "",
      "secrets.PULUMI_CONFIG_PASSPHRASE": (
        await readFile(environment["PULUMI_CONFIG_PASSPHRASE_FILE"] ?? "", "utf8")
      ).trim(),
    };
    // The checkout as it is, and the config of the test's stack.
    await execa("git", ["init", "--quiet", "--bare", "--initial-branch", "main", origin]);
    await execa("git", ["clone", "--quiet", origin, clone]);
    await git("--work-tree", settings.root, "add", "--all");
    await git("--work-tree", settings.root, "add", "--force", FILE);
    await git("commit", "--quiet", "--message", "the project");
    await git("push", "--quiet", "origin", "HEAD:main");
    await git("reset", "--quiet", "--hard");
    load.push(
      ...(await Promise.all(
        clusters.map((cluster) => loadInMesh(cluster, `http://${service.host}/`, 40)),
      )),
    );
  });
  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  it("takes a bad canary back: git has had 0 all along, and nothing is proposed", async () => {
    await up(await merge("a canary that fails", await canary("v2", "v2-failing")));
    await expectEqual("v2", 0);
    const { rollout: run, propose } = await rollout();
    expect(run.failed).toBe(true);
    expect(run.log).toContain("rolled-back: cluster-b: success rate of v2");
    expect(propose.log).toContain(`${FILE} has the weight that the clusters have.`);
    expect(await calls()).not.toContain("pr create");
    await expectEqual("v2", 0);
  });

  it("keeps what an interrupted rollout holds through a merge in between, and goes on to 100 %", async () => {
    await up(await merge("a good canary", await canary("v3", "v2")));
    const running = rollout();
    await Promise.all(clusters.map((cluster) => release.arrival(cluster, 30)));
    // As after 320 minutes; timeout passes it on.
    await until(
      "the rollout to be there",
      async () => {
        const { stdout } = await execa("pgrep", ["-f", `^timeout .* rollout --stack ${stack} `]);
        for (const pid of stdout.split("\n")) process.kill(Number(pid), "SIGINT");
      },
      { timeoutMs: 10_000 },
    );
    const { rollout: first } = await running;
    expect(first.outputs, first.log).toEqual({ weight: "30", interrupted: "true" });
    expect(await proposed()).toMatch(/\n-.*:weight: 0\n\+.*:weight: 30$/);
    expect(await calls()).toContain(`pr create --head ${BRANCH} --title ${stack}: weight 30`);
    expect(await calls()).toContain(`workflow run rollout.yml --ref main -f stack=${stack}`);

    const { log } = await up(await merge("something else", { safety: { checkWithin: "15s" } }));
    expect(log).toContain("30 % instead of 0 %: a rollout holds it");
    await expectEverywhere("v3", 30);

    const { rollout: second } = await rollout();
    expect(second.failed, second.log).toBe(false);
    expect(second.outputs).toEqual({ weight: "100", interrupted: "" });
    expect(await calls()).toContain(`pr edit 7 --title ${stack}: weight 100`);
    await expectEverywhere("v3", 100);

    // The clusters are ahead of git until this is merged.
    const ahead = await drift();
    expect(ahead.failed).toBe(true);
    expect(ahead.log).toContain(
      "the clusters are ahead of the config: 100 % instead of 0 %: a rollout has ended with it.",
    );
    const generations = await release.deployed();
    await up(await mergeProposed());
    expect(await release.deployed()).toEqual(generations);
    await expectEqual("v3", 100);
  });

  it("makes the canary stable by a pull request, and begins the next one by an image, which it proposes with the weight", async () => {
    const [found] = (await config())["services"] as [Service & { stable: object }];
    const { canary: next, ...rest } = found;
    await up(await merge("promotion", { services: [{ ...rest, stable: next }], weight: 0 }));
    succeeded(await drift());
    const { rollout: run } = await rollout(`${service.name}=${serverImage("v1")}`);
    expect(run.failed, run.log).toBe(false);
    expect(await proposed()).toContain(`image: ${serverImage("v1")}`);
    await up(await mergeProposed());
    await expectEqual("v1", 100);
  });

  it("obeys an abort: zero from a terminal, then git follows by a pull request", async () => {
    const contexts = clusters.flatMap(({ name }) => ["--context", name]);
    const zero = await releaseCommand("zero", ...contexts, "--service", id);
    expect(zero.exitCode, zero.text).toBe(0);
    // A merge of something else, with 100 in git, leaves it at 0.
    const { log } = await up(await merge("something else", { safety: { checkWithin: "10s" } }));
    expect(log).toContain("somebody lowered it to 0 % in the clusters");
    await expectEverywhere("v1", 0);
    await up(await merge("the release is off", { weight: 0 }));
    await expectEqual("v1", 0);
  });
});
