import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { MeshCluster } from "../../fleet/cluster.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { recordRouting, differences } from "../../lab/demo/routing-record.ts";
import { labEnvironment, labPaths, labStack } from "../../lab/environment.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { labSettings } from "../../lab/settings.ts";
import { labUp } from "../../lab/up.ts";
import { until } from "../../lib/until.ts";
import { signal } from "./component.ts";
import { labClusters, labPulumi } from "./lab.ts";

const settings = labSettings();
const clusters = labClusters();
const [first, second] = clusters as [MeshCluster, MeshCluster];
const pulumi = labPulumi();
const service = { service: userService.name, namespace: userService.namespace };
const configFile = path.join(settings.root, `Pulumi.${labStack}.yaml`);
const lab = { cwd: settings.root, env: labEnvironment(settings), stdin: "ignore" } as const;

/** The command of the release, with what it has printed. */
async function release(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await execa({ ...lab, reject: false })("node", [
    "release/cli.ts",
    ...args,
    "--stack",
    labStack,
  ]);
  return { exitCode, text: `${stdout}\n${stderr}` };
}

async function rollback(to?: string) {
  return release("rollback", ...(to === undefined ? [] : ["--to", to]));
}

async function change(weight: number, keys: Readonly<Record<string, string | undefined>> = {}) {
  for (const [key, value] of Object.entries(keys)) {
    await pulumi.setConfig(`services[0].${key}`, value);
  }
  await pulumi.setWeight(weight);
  await pulumi.up(`rollback test: ${weight} %`);
}

interface StateJson {
  readonly number: number;
  readonly weight: number;
  readonly message: string;
  readonly inForce: boolean;
}

async function states(): Promise<readonly StateJson[]> {
  const { exitCode, text } = await release("history", "--json");
  expect(exitCode, text).toBe(0);
  return JSON.parse(text) as readonly StateJson[];
}

async function split(cluster: MeshCluster) {
  const route = await readRoute(cluster, service);
  return route && { stable: route.stable, canary: route.canary, weight: route.weight };
}

const v = (stable: string, canary: string | undefined, weight: number) => ({
  stable,
  canary,
  weight,
});

async function expectSplit(expected: ReturnType<typeof v>): Promise<void> {
  for (const cluster of clusters) expect(await split(cluster), cluster.name).toEqual(expected);
}

function expectProof({ exitCode, text }: Awaited<ReturnType<typeof release>>): void {
  expect(exitCode, text).toBe(0);
  for (const { name } of clusters) {
    expect(text).toMatch(
      new RegExp(
        `^user/user-service in ${name}: as recorded at .* by .+: 4 objects, \\d+ Envoys$`,
        "m",
      ),
    );
  }
}

let config: string;

beforeAll(async () => {
  config = await readFile(configFile, "utf8");
});

afterAll(async () => {
  await labUp(settings);
  await writeFile(configFile, config);
  try {
    await change(0);
  } catch {
    // From a version that has become stable only the canary that serves everything leads back.
    await change(100);
    await change(0);
  }
  await confirmWeights(clusters, 0);
});

// Several updates in one test.
describe("a rollback", { timeout: 600_000 }, () => {
  let ten: number;

  it("goes to the previous state, and proves that each cluster routes as it did then", async () => {
    await change(10);
    const before = await recordRouting(clusters);
    await change(30);
    const found = await rollback();
    expectProof(found);
    ten = (await states())[2]?.number ?? 0;
    expect(found.text).toContain(`rollback to state ${ten} (user/user-service: v1 90 %, v2 10 %)`);
    expect(differences(before, await recordRouting(clusters))).toEqual([]);
    expect(await pulumi.weight()).toBe(10);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("is refused where a share would rise, and changes nothing", async () => {
    const { exitCode, text } = await rollback(String(ten + 1));
    expect(exitCode).toBe(1);
    expect(text).toContain("nothing was changed:");
    expect(text).toContain("v2 would rise to 30 %, it has 10 %");
    expect(await pulumi.weight()).toBe(10);
  });

  it("leads back over a promotion, in two updates", async () => {
    await change(30);
    await change(100);
    await change(0, {
      "stable.version": "v2",
      "stable.image": "docker.io/lab/user-service:v2",
      canary: undefined,
    });
    await expectSplit(v("v2", undefined, 0));
    const found = await rollback(String(ten));
    expect(found.text).toContain("it takes 2 updates, none of which raises a share:");
    expectProof(found);
    await expectSplit(v("v1", "v2", 10));
  });

  it("goes to zero at the versions there are", async () => {
    expectProof(await rollback("zero"));
    await expectSplit(v("v1", "v2", 0));
  });

  it("brings matches back and takes mirroring away", async () => {
    const before = await recordRouting(clusters);
    await change(0, { matches: undefined, mirrorPercent: "20" });
    expect(differences(before, await recordRouting(clusters))).not.toEqual([]);
    expectProof(await rollback());
    expect(differences(before, await recordRouting(clusters))).toEqual([]);
  });

  it("names an object that nobody has recorded", async () => {
    const stale = {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: "hand-made", namespace: "default" },
    };
    await second.objects.create({ ...stale, spec: { host: userService.host } } as typeof stale);
    try {
      const { exitCode, text } = await rollback("zero");
      expect(exitCode).toBe(1);
      expect(text).toContain(" - DestinationRule default/hand-made names a host of the service");
    } finally {
      await second.objects.delete(stale);
    }
    expectProof(await rollback("zero"));
  });
});

describe("a rollback while an API server does not answer", () => {
  it("lowers the others, names it and fails, and completes when it is back", async () => {
    await change(10);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      const { exitCode, text } = await rollback("zero");
      expect(exitCode).toBe(1);
      expect(text).toContain(` - ${second.name}: no answer in time`);
      expect(text).toContain(` - ${first.name}: user/user-service has v1 at 100 %, v2 at 0 %`);
      expect(text).toContain("npm run release -- rollback --stack lab --to zero");
      expect(await split(first)).toEqual(v("v1", "v2", 0));
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
    expectProof(await rollback("zero"));
    await expectSplit(v("v1", "v2", 0));
  });
});

describe("a rollback after an update that was killed", () => {
  it("removes the lock that it has left behind", async () => {
    await change(10);
    await pulumi.setWeight(30);
    const update = execa({ ...lab, detached: true, reject: false })("pulumi", [
      "up",
      "--yes",
      "--skip-preview",
      "--stack",
      labStack,
      "--non-interactive",
    ]);
    const locks = path.join(labPaths(settings).state, ".pulumi", "locks");
    await until(
      "the update to hold the lock",
      async () => {
        const { stdout } = await execa("find", [locks, "-name", "*.json"], { reject: false });
        if (stdout === "") throw new Error("there is none");
      },
      { timeoutMs: 30_000 },
    );
    process.kill(-(update.pid ?? 0), "SIGKILL");
    await update;
    const found = await rollback("zero");
    expect(found.text).toContain("The last update was killed: its lock is removed");
    expectProof(found);
    await expectSplit(v("v1", "v2", 0));
  });
});
