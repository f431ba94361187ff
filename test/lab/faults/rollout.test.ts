import { PatchStrategy } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { serverLabels } from "../../../lib/monitoring/server-labels.ts";
import { setStackKeys } from "../../../lab/stack-file.ts";
import { until } from "../../../lib/until.ts";
import { signal } from "../component.ts";
import { underLoad } from "../load.ts";
import { quickRollout } from "../quick-rollout.ts";
import { RunningRollout } from "../release-command.ts";
import { first, second, withFaultsRelease } from "../release.ts";

const release = withFaultsRelease();
const { stack, file, id, deployed, forget, change, beginAt, expectEverywhere } = release;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(release, { inMesh: [first], outside: [first, second] });

/** Whether a cluster runs its Prometheus. */
async function runPrometheus(cluster: ClusterClient, replicas: 0 | 1): Promise<void> {
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
  await setStackKeys(file, { rollout: quickRollout });
});

afterAll(async () => {
  await beginAt(0);
  // Other files raise the same canary.
  await forget();
});

describe("a rollout", () => {
  it(
    "waits while a Prometheus is unreachable, and resumes the phase that it left",
    { tags: ["campaign"] },
    async () => {
      await change(10);
      await change(30);
      await runPrometheus(second, 0);
      const rollout = new RunningRollout(stack);
      try {
        const { reason } = await rollout.seen("look", (look) =>
          look.reason.startsWith("no-data: "),
        );
        expect(reason).toContain(`${second.name}: success rate of v2 of ${id} is unknown`);
        expect(await weights()).toEqual([30, 30]);
      } finally {
        await runPrometheus(second, 1);
      }
      expect((await rollout.ended()).exitCode).toBe(0);
      expect(rollout.of("begin")).toMatchObject([{ weight: 30 }]);
      expect(rollout.of("raised").map(({ weight }) => weight)).toEqual([100]);
      await expectEverywhere(100);
      load.expectNoFailure();
    },
  );

  it("is taken back where a cluster can be reached when one cannot, and there as soon as it can", async () => {
    await change(0);
    const rollout = new RunningRollout(stack, "--again");
    await rollout.seen("raised", ({ weight }) => weight === 10);
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      const { reason } = await rollout.seen("roll-back");
      expect(reason).toContain(`${second.name} cannot be reached`);
      await until(
        `${first.name} to be at 0 %`,
        async () => {
          expect((await deployed([first]))[0]?.weight).toBe(0);
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
    expect((await rollout.ended()).exitCode).toBe(2);
    expect(rollout.of("lowered")[0]?.clusters.map(({ name }) => name)).toEqual([
      first.name,
      second.name,
    ]);
    await expectEverywhere(0);
    load.expectNoFailure();
  });
});
