import { execa } from "execa";
import { describe, expect, it } from "vitest";

import { recordRouting, differences } from "../../lab/demo/routing-record.ts";
import { serverImage } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { expectProof, releaseOf } from "./release-command.ts";
import { clusters, second, withOwnRelease } from "./release.ts";
import { locked } from "./stack-lock.ts";
import { target } from "./target.ts";

const settings = labSettings();
const lab = { cwd: settings.root, env: target.environment(), stdin: "ignore" } as const;
const release = withOwnRelease("rollback");
const { stack, service, id, pulumi } = release;

async function rollback(to?: string) {
  return releaseOf(stack, "rollback", ...(to === undefined ? [] : ["--to", to]));
}

async function change(weight: number, keys: Readonly<Record<string, string | undefined>> = {}) {
  for (const [key, value] of Object.entries(keys)) {
    await pulumi.setConfig(`services[0].${key}`, value);
  }
  await release.change(weight);
}

interface StateJson {
  readonly number: number;
  readonly weight: number;
  readonly message: string;
  readonly inForce: boolean;
}

async function states(): Promise<readonly StateJson[]> {
  const { exitCode, stdout, stderr } = await releaseOf(stack, "history", "--json");
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as readonly StateJson[];
}

const v = (stable: string, canary: string | undefined, weight: number) => ({
  stable,
  canary,
  weight,
});

async function expectSplit(expected: ReturnType<typeof v>): Promise<void> {
  for (const cluster of clusters) {
    const { stable, canary, weight } = await release.route(cluster);
    expect({ stable, canary, weight }, cluster.name).toEqual(expected);
  }
}

// Several updates in one test.
describe("a rollback", { timeout: 600_000 }, () => {
  let ten: number;

  it("goes to the previous state, and proves that each cluster routes as it did then", async () => {
    await change(10);
    const before = await recordRouting(clusters, service);
    await change(30);
    const found = await rollback();
    expectProof(release, found);
    ten = (await states())[2]?.number ?? 0;
    expect(found.text).toContain(`rollback to state ${ten} (${id}: v1 90 %, v2 10 %)`);
    expect(differences(before, await recordRouting(clusters, service))).toEqual([]);
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

  it("leads back over a promotion, in two updates", { tags: ["campaign"] }, async () => {
    await change(30);
    await change(100);
    await change(0, {
      "stable.version": "v2",
      "stable.image": serverImage("v2"),
      canary: undefined,
    });
    await expectSplit(v("v2", undefined, 0));
    const found = await rollback(String(ten));
    expect(found.text).toContain("this takes 2 updates, none of which raises a share:");
    expectProof(release, found);
    await expectSplit(v("v1", "v2", 10));
  });

  it("goes to zero at the versions there are", async () => {
    expectProof(release, await rollback("zero"));
    await expectSplit(v("v1", "v2", 0));
  });

  it("brings matches back and takes mirroring away", { tags: ["campaign"] }, async () => {
    const before = await recordRouting(clusters, service);
    await change(0, { matches: undefined, mirrorPercent: "20" });
    expect(differences(before, await recordRouting(clusters, service))).not.toEqual([]);
    expectProof(release, await rollback());
    expect(differences(before, await recordRouting(clusters, service))).toEqual([]);
  });

  it("names an object that nobody has recorded", { tags: ["campaign"] }, async () => {
    const stale = {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: "hand-made", namespace: service.namespace },
    };
    await second.objects.create({ ...stale, spec: { host: service.host } } as typeof stale);
    try {
      const { exitCode, text } = await rollback("zero");
      expect(exitCode).toBe(1);
      expect(text).toContain(
        ` - DestinationRule ${service.namespace}/hand-made also routes a host of this service`,
      );
    } finally {
      await second.objects.delete(stale);
    }
    expectProof(release, await rollback("zero"));
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
      stack,
      "--non-interactive",
    ]);
    await locked(stack);
    process.kill(-(update.pid ?? 0), "SIGKILL");
    await update;
    const found = await rollback("zero");
    expect(found.text).toContain("The last update was killed: its lock is removed");
    expectProof(release, found);
    await expectSplit(v("v1", "v2", 0));
  });
});
