import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { Prometheus } from "../../../fleet/prometheus.ts";
import { setClustersApart } from "../../../lab/clusters/lab.ts";
import { labSettings } from "../../../lab/settings.ts";
import { until } from "../../../lib/until.ts";
import { Journal } from "../../../release/journal.ts";
import { signal } from "../component.ts";
import { withGuardedRelease } from "../guarded.ts";
import { underLoad } from "../load.ts";
import { quickRollout } from "../quick-rollout.ts";
import { releaseOf, RunningRollout } from "../release-command.ts";
import { clusters, first, second } from "../release.ts";

const own = withGuardedRelease("guarded", {
  // A phase lasts: who watches it is what the tests are about.
  config: { rollout: { ...quickRollout, bake: "1h" } },
});
const { stack, service, id, pulumi, namespace, deployed, change, beginAt, untilWell } = own;
const { expectEverywhere, untilWatched, breakCanary, untilLowered, runGuard } = own;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(own, { inMesh: [first], outside: [second] });

/** A rollout raises the canary to 10 %, and then its terminal is gone. */
async function raise(): Promise<void> {
  const rollout = new RunningRollout(stack, "--again");
  await rollout.seen("raised", ({ weight }) => weight === 10);
  rollout.kill("SIGKILL");
  await rollout.ended();
  expect((await deployed()).map(({ weight }) => weight)).toEqual([10, 10]);
}

/** What a cluster's Prometheus says now, as `label value` for a label. */
async function measured(cluster: ClusterClient, promql: string, label: string): Promise<string[]> {
  const samples = await new Prometheus(cluster).query(promql);
  return samples.map(({ labels, value }) => `${labels[label] ?? ""} ${value}`).sort();
}

beforeEach(async () => {
  await untilWell();
  await beginAt(0);
  await untilWatched();
});

describe("the guards' pods", () => {
  it("are read by Prometheus, and know when each of them has looked last", async () => {
    for (const cluster of clusters) {
      await until(
        `the metrics of the guard in ${cluster.name}`,
        async () => {
          const looked = `time() - istio_canary_guard_last_look_timestamp_seconds{namespace="${namespace}", destination_service_namespace="${service.namespace}"} < bool 120`;
          expect(await measured(cluster, looked, "guard")).toEqual(
            clusters.map(({ name }) => `${name} 1`),
          );
          const answers = `istio_canary_guard_cluster_answers{namespace="${namespace}"}`;
          expect(await measured(cluster, answers, "destination_cluster")).toEqual(
            clusters.map(({ name }) => `${name} 1`),
          );
        },
        { timeoutMs: 90_000, everyMs: 1_000 },
      );
    }
  });

  it("take a bad canary back in every cluster, without a terminal and without Pulumi", async () => {
    await raise();
    await breakCanary();
    await untilLowered(clusters);
    await expectEverywhere(0);
    const { text } = await releaseOf(stack, "status");
    expect(text).toMatch(
      new RegExp(
        `^the guard in \\S+ has watched since .*: lower, .*success rate of v2 of ${id}: `,
        "m",
      ),
    );
    // No update has been made for it.
    expect(await pulumi.weight()).toBe(10);
    // Nor does one give the canary anything again.
    const { value } = await pulumi.up("guards test: an update after a guard");
    expect(value).toContain(
      "The weight stays 0 % though the config has 10 %: this canary was taken back. All else is updated.",
    );
    await expectEverywhere(0);
  });

  it("do so where only one of them is left", { tags: ["campaign"] }, async () => {
    await raise();
    await runGuard(first, 0);
    try {
      await breakCanary();
      await untilLowered(clusters);
    } finally {
      await runGuard(first, 1);
    }
    await expectEverywhere(0);
  });

  it(
    "lower the cluster that they reach, and the other one once it is back",
    { tags: ["campaign"] },
    async () => {
      await raise();
      await signal(second.name, "kube-apiserver", "SIGSTOP");
      try {
        await breakCanary();
        await untilLowered([first]);
      } finally {
        await signal(second.name, "kube-apiserver", "SIGCONT");
      }
      await untilLowered(clusters);
      await untilWell();
      await expectEverywhere(0);
    },
  );
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});

describe("guards that do not reach each other", { tags: ["campaign"] }, () => {
  // Without requests no gate fails, as it would for those that do not reach the other cluster.
  beforeAll(async () => {
    await Promise.all(load.clients.map((client) => client.stop()));
  });
  afterEach(async () => {
    await setClustersApart(labSettings(), false);
    await untilWell();
    await change(0);
  });

  it("each lower their own side after guard.partitionLimit", async () => {
    await pulumi.setConfig("guard.partitionLimit", "20s");
    await change(0);
    await raise();
    await setClustersApart(labSettings(), true);
    await untilLowered(clusters);
    for (const cluster of clusters) {
      const { guards } = await new Journal([cluster], [service.namespace]).read();
      const note = guards.find((each) => each.cluster === cluster.name);
      expect(note?.failed).toBeUndefined();
    }
  });
});
