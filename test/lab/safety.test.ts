import { PatchStrategy, type KubernetesObject, type V1Deployment } from "@kubernetes/client-node";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { writeRoutes } from "../../fleet/routing/istio/write-routes.ts";
import { serviceName } from "../../lab/mesh/service.ts";
import { withWeight } from "../../lib/routing/istio/split.ts";
import { until } from "../../lib/until.ts";
import { underLoad } from "./load.ts";
import { letWritesThrough, refuseWrites } from "./refuse-writes.ts";
import { clusters, failure, first, second, withOwnRelease } from "./release.ts";

const release = withOwnRelease("safety");
const { pulumi, service, id, replicas } = release;
const { route, deployed, change, beginAt, expectEverywhere } = release;
const deployment = {
  name: `${service.name}-${service.canary}`,
  namespace: service.namespace,
};
const load = underLoad(release, { inMesh: [first, second], outside: [second] });

async function scaleCanary(cluster: ClusterClient, replicas: number): Promise<void> {
  await cluster.objects.patch(
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: deployment,
      spec: { replicas },
    } as V1Deployment & KubernetesObject,
    undefined,
    undefined,
    undefined,
    undefined,
    PatchStrategy.MergePatch,
  );
  await until(
    `${replicas} pods of the canary in ${cluster.name}`,
    async () => {
      const { status } = await cluster.apps.readNamespacedDeployment(deployment);
      if ((status?.availableReplicas ?? 0) !== replicas) throw new Error("not yet");
    },
    { timeoutMs: 60_000 },
  );
}

beforeEach(async () => {
  await beginAt(0);
});

describe("a change of the weight", () => {
  it("is compared with what is deployed: the preview refuses a skipped phase", async () => {
    const before = await deployed();
    await pulumi.setWeight(30);
    const text = await failure(pulumi.preview());
    expect(text).toContain("weight: must rise one phase at a time");
    expect(text).toContain("pulumi config set weight 10");
    expect(await deployed()).toEqual(before);
  });

  it("says how far apart the Envoys have switched", async () => {
    const { value } = await change(10);
    expect(value).toMatch(
      new RegExp(
        `v2 of ${id} from 0 % to 10 % in ${clusters.map(({ name }) => name).join(", ")}: \\d+ Envoys serve it, switched within \\d\\.\\d\\d s`,
      ),
    );
    await expectEverywhere(10);
  });
});

describe("a canary that is not available in one cluster", () => {
  afterAll(async () => {
    await scaleCanary(second, replicas);
  });

  it("keeps the weight from rising in any cluster", async () => {
    await scaleCanary(second, 0);
    const before = await deployed();
    const text = await failure(change(10));
    expect(text).toContain("The weight has risen in no cluster:");
    expect(text).toContain(
      `${second.name}: the canary's pods are available: no, 0 of ${replicas} pods of Deployment ${id}-v2 are available`,
    );
    expect(text).toContain(`every proxy holds the canary's subset: no`);
    expect(await deployed()).toEqual(before);
  });
});

describe("a cluster that refuses the write", () => {
  it("has the others take it back, and the next update changes all", async () => {
    await refuseWrites(second, release);
    try {
      const [, untouched] = await deployed();
      const text = await failure(change(10));
      expect(text).toContain("The weight was taken back in all clusters:");
      expect(text).toContain(`${second.name}: writing the weight: `);
      expect(text).toContain("no weight changes on a Friday");
      for (const cluster of clusters) {
        expect(text).toContain(`${cluster.name}: v2 of ${id} has 0 %`);
      }
      expect((await deployed())[1]).toEqual(untouched);
      await expectEverywhere(0);
    } finally {
      await letWritesThrough(second, release);
    }
    await pulumi.up("safety test: after the refusal");
    await expectEverywhere(10);
    expect((await pulumi.preview()).value).toEqual([]);
  });
});

describe("a weight that somebody has changed by hand", () => {
  async function expectPutRight(by: number): Promise<void> {
    await change(10);
    const { rules } = await route(second);
    await writeRoutes(second, serviceName(service), withWeight(rules, service.canary, by));
    expect((await pulumi.preview()).value.map(({ op }) => op)).toEqual(["update"]);
    await pulumi.up("safety test: after a change by hand");
    await expectEverywhere(10);
    expect((await pulumi.preview()).value).toEqual([]);
  }

  it("to 30 % in one cluster is seen by the preview and put right by the update", async () => {
    await expectPutRight(30);
  });

  it(
    "to 0 % in one cluster is seen by the preview and put right by the update",
    { tags: ["campaign"] },
    async () => {
      await expectPutRight(0);
    },
  );
});

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
