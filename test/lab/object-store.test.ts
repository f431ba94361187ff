// @module-tag campaign
import { randomUUID } from "node:crypto";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { labEnvironment, labStack } from "../../lab/environment.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { labPulumi } from "./lab.ts";
import { quickRollout } from "./quick-rollout.ts";
import { expectProof } from "./release-command.ts";
import { failure, first, second, withOwnRelease } from "./release.ts";
import { startS3, type RunningServer } from "./servers.ts";
import { underLoad } from "./load.ts";
import { killProcesses, processesOf, UPDATE_VARIABLE } from "./update-processes.ts";

const BUCKET = "state";
const settings = labSettings();
const release = withOwnRelease("object-store", { config: { rollout: quickRollout } });
const { stack, expectEverywhere } = release;
underLoad(release, { inMesh: [first, second], outside: [first, second] });

let server: RunningServer;
let env: Record<string, string>;
let pulumi: PulumiCli;

/** Runs a verb of the release command with the state in the bucket. */
async function releaseIn(verb: string, ...options: readonly string[]) {
  const { stdout, stderr, exitCode } = await execa(
    "node",
    ["release/cli.ts", verb, "--stack", stack, ...options],
    { cwd: settings.root, env, reject: false },
  );
  return { stdout, stderr, exitCode, text: `${stdout}\n${stderr}` };
}

/** Names of the locks that the bucket has of the stack. */
async function locks(): Promise<readonly string[]> {
  const prefix = `.pulumi/locks/organization/istio-canary/${stack}/`;
  const url = `http://${server.address}/${BUCKET}?list-type=2&prefix=${encodeURIComponent(prefix)}`;
  const answer = await (await fetch(url)).text();
  return [...answer.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = ""]) => key);
}

async function locked(): Promise<void> {
  await until(
    "an update to hold the lock",
    async () => {
      if ((await locks()).length === 0) throw new Error("there is none");
    },
    { timeoutMs: 60_000, everyMs: 20 },
  );
}

beforeAll(async () => {
  server = await startS3(BUCKET);
  env = {
    ...labEnvironment(settings),
    PULUMI_BACKEND_URL: `s3://${BUCKET}?endpoint=http://${server.address}&s3ForcePathStyle=true`,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "lab",
    AWS_SECRET_ACCESS_KEY: "lab",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  // The mesh's stack too: the release's reads its outputs, from the same backend.
  for (const name of [labStack, stack]) {
    const state = await labPulumi(name).exported();
    const moved = new PulumiCli(settings.root, env, name);
    await moved.create();
    await execa("pulumi", ["stack", "import", "--stack", name, "--non-interactive"], {
      ...{ cwd: settings.root, env, input: JSON.stringify(state) },
    });
  }
  pulumi = new PulumiCli(settings.root, env, stack);
});

afterAll(async () => {
  await server.stop();
});

describe("a release whose state is in an S3 bucket", { timeout: 600_000 }, () => {
  it("goes on from the state that was moved there, without a change", async () => {
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("is rolled out, listed and rolled back with proof", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("object store: 10 %");
    await expectEverywhere(10);
    const rollout = await releaseIn("rollout");
    expect(rollout.exitCode, rollout.text).toBe(0);
    await expectEverywhere(100);
    const history = await releaseIn("history", "--json");
    const states = JSON.parse(history.stdout) as { readonly number: number; weight: number }[];
    expect(states.map(({ weight }) => weight)).toEqual([100, 30, 10]);
    const ten = states.at(-1)?.number ?? 0;
    expectProof(release, await releaseIn("rollback", "--to", String(ten)));
    await expectEverywhere(10);
    const status = await releaseIn("status");
    expect(status.exitCode, status.text).toBe(0);
  });

  it("refuses a second update at once, and names who holds the lock", async () => {
    await pulumi.setWeight(0);
    const update = pulumi.up("object store: the first");
    await locked();
    const text = await failure(pulumi.up("object store: the second at once"));
    expect(text).toContain("the stack is currently locked");
    expect(text).toMatch(new RegExp(`s3://${BUCKET}.*: created by .+@.+ \\(pid \\d+\\)`));
    await update;
    await expectEverywhere(0);
    expect(await locks()).toEqual([]);
  });

  it("goes on after an update that was killed: its lock is removed", async () => {
    await pulumi.setWeight(10);
    const update = randomUUID();
    const running = execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", stack], {
      cwd: settings.root,
      env: { ...env, [UPDATE_VARIABLE]: update },
      ...{ stdin: "ignore", reject: false },
    });
    await locked();
    killProcesses(await processesOf(update));
    await running;
    expect(await locks()).toHaveLength(1);
    const back = await releaseIn("rollback", "--to", "zero");
    expect(back.text).toContain("The last update was killed: its lock is removed");
    expectProof(release, back);
    await expectEverywhere(0);
    expect(await locks()).toEqual([]);
  });
});
