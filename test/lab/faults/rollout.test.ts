import { PatchStrategy } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { MeshCluster } from "../../../fleet/cluster.ts";
import { serverLabels } from "../../../lib/monitoring/server-labels.ts";
import { until } from "../../../lib/until.ts";
import { signal } from "../component.ts";
import { labPulumi } from "../lab.ts";
import { underLoad } from "../load.ts";
import { release, RunningRollout } from "../release-command.ts";
import { change, clusters, deployed, expectEverywhere, first, second } from "../release.ts";

const pulumi = labPulumi();
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad({ inMesh: [first], outside: [first, second] });

/**
 * What these tests are about is not how many requests a gate needs. Without the gate on the share, requests
 * of the weight before may be among those that are counted.
 */
const QUICK = {
  "rollout.bake": "5s",
  "rollout.interval": "2s",
  "rollout.settle": "2s",
  "rollout.gates.without[0]": "share",
  "rollout.gates.minSamples": "20",
  "rollout.gates.successRate.precision": "50",
  "rollout.gates.latency.precision": "50",
  "rollout.unreachableLimit": "5s",
};

/** Whether a cluster runs its Prometheus. */
async function runPrometheus(cluster: MeshCluster, replicas: 0 | 1): Promise<void> {
  const selector = Object.entries(serverLabels("prometheus")).map(([k, v]) => `${k}=${v}`);
  const { items } = await cluster.apps.listDeploymentForAllNamespaces({
    labelSelector: selector.join(","),
  });
  const [found] = items;
  if (!found?.metadata) throw new Error(`${cluster.name} has no Prometheus`);
  await cluster.objects.patch(
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: found.metadata,
      spec: { replicas },
    } as never,
    undefined,
    undefined,
    "rollout-test",
    undefined,
    PatchStrategy.MergePatch,
  );
  await until(
    `${replicas} Prometheus in ${cluster.name}`,
    async () => {
      const pods = await cluster.runningPods(selector.join(","));
      if (pods.length !== replicas) throw new Error(`there are ${pods.length}`);
    },
    { timeoutMs: 60_000, everyMs: 500 },
  );
}

const weights = async () => (await deployed()).map(({ weight }) => weight);

beforeAll(async () => {
  for (const [key, value] of Object.entries(QUICK)) await pulumi.setConfig(key, value);
});

afterAll(async () => {
  await pulumi.setConfig("rollout.gates", undefined);
  await pulumi.setConfig("rollout.unreachableLimit", undefined);
  await pulumi.setConfig("rollout.bake", "20s");
  await pulumi.setConfig("rollout.interval", "5s");
  await pulumi.setConfig("rollout.settle", "12s");
  await change(0);
});

describe("a rollout", () => {
  it("is planned without a change of anything", async () => {
    const { stdout, exitCode } = await release("plan", "--format", "json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ weight: 0, next: 10 });
    expect(await pulumi.weight()).toBe(0);
    expect(await weights()).toEqual([0, 0]);
  });

  it("may begin by hand, and is held from another terminal, through a crash of the command", async () => {
    expect((await release("promote")).exitCode).toBe(0);
    await expectEverywhere(10);
    expect((await release("pause", "--reason", "lunch")).exitCode).toBe(0);

    const one = new RunningRollout();
    const held = await one.seen("look", ({ reason }) => reason.startsWith("paused: "));
    expect(held.reason).toMatch(/^paused: paused by \S+ at \S+: lunch$/);
    one.kill("SIGKILL");
    await one.ended();
    const status = JSON.parse((await release("status", "--json")).stdout) as unknown;
    expect(status).toMatchObject({ paused: expect.stringContaining("lunch") as unknown });

    const two = new RunningRollout();
    await two.seen("look", ({ reason }) => reason.startsWith("paused: "));
    expect(await weights()).toEqual([10, 10]);
    expect((await release("resume")).exitCode).toBe(0);
    await two.seen("raised", ({ weight }) => weight === 30);
    await expectEverywhere(30);

    two.kill("SIGINT");
    expect((await two.ended()).exitCode).toBe(130);
    expect(two.of("interrupted")).toMatchObject([{ weight: 30 }]);
    expect(await weights()).toEqual([30, 30]);
  });

  it("waits while a Prometheus is away, and goes on from the phase that it left", async () => {
    await runPrometheus(second, 0);
    const rollout = new RunningRollout();
    try {
      const { reason } = await rollout.seen("look", (look) => look.reason.startsWith("no-data: "));
      expect(reason).toContain(
        `${second.name}: success rate of v2 of user/user-service is unknown`,
      );
      expect(await weights()).toEqual([30, 30]);
    } finally {
      await runPrometheus(second, 1);
    }
    expect((await rollout.ended()).exitCode).toBe(0);
    expect(rollout.of("begin")).toMatchObject([{ weight: 30 }]);
    expect(rollout.of("raised").map(({ weight }) => weight)).toEqual([100]);
    await expectEverywhere(100);
    load.expectNoFailure();
  });

  it("is taken back where a cluster can be reached when one cannot, and there as soon as it can", async () => {
    await change(0);
    const rollout = new RunningRollout("--again");
    await rollout.seen("raised", ({ weight }) => weight === 10);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      expect((await rollout.ended()).exitCode).toBe(3);
      expect(rollout.of("roll-back")[0]?.reason).toContain(`${second.name} cannot be reached`);
      expect(rollout.of("rollback-incomplete")[0]?.reason).toContain(second.name);
      expect((await deployed([first]))[0]?.weight).toBe(0);
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
    const again = new RunningRollout();
    expect((await again.ended()).exitCode).toBe(2);
    expect(again.of("raise")).toEqual([]);
    await expectEverywhere(0);
    load.expectNoFailure();
  });

  it("leaves all clusters at one weight when it is killed as it raises, and goes on from there", async () => {
    const rollout = new RunningRollout("--again");
    await rollout.seen("raise");
    rollout.kill("SIGKILL");
    await rollout.ended();
    const next = new RunningRollout();
    await next.seen("raised", ({ weight }) => weight === 30);
    await expectEverywhere(30);
    next.kill("SIGINT");
    await next.ended();
    expect(clusters).toHaveLength(2);
    load.expectNoFailure();
  });
});
