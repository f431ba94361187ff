import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { calls } from "../../lab/mesh/call.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { labService } from "../../lab/mesh/service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serverImage, serviceConfig, smallRequests } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { labPulumi } from "./lab.ts";
import { clusters, failure, first, second } from "./release.ts";

const stack = "lab-workload";
const { name: service, namespace, host } = labService("workload", "");
const pulumi = labPulumi(stack);

/** Each version with the colours in its answers, as `v1 blue`, of many answers in a cluster. */
async function colours(cluster: ClusterClient, count: number): Promise<readonly string[]> {
  const pod = await ensureClientPod(cluster);
  const answers = await calls(cluster, pod, `http://${host}/`, count);
  for (const { status } of answers) expect(status, cluster.name).toBe(200);
  return [
    ...new Set(
      answers.map(
        ({ version, cluster: told }) => `${version ?? ""} ${told?.split(" ").at(-1) ?? ""}`,
      ),
    ),
  ].sort();
}

/** When the newest ReplicaSet of stable was made, in milliseconds since 1970. */
async function begun({ apps }: ClusterClient): Promise<number> {
  const { items } = await apps.listNamespacedReplicaSet({
    namespace,
    labelSelector: `app=${service},version=v1`,
  });
  return Math.max(...items.map(({ metadata }) => metadata?.creationTimestamp?.getTime() ?? 0));
}

/** When the newest pod of stable became ready, in milliseconds since 1970. */
async function ready({ core }: ClusterClient): Promise<number> {
  const { items } = await core.listNamespacedPod({
    namespace,
    labelSelector: `app=${service},version=v1`,
  });
  const newest = items
    .toSorted(
      (a, b) => Number(a.metadata?.creationTimestamp) - Number(b.metadata?.creationTimestamp),
    )
    .at(-1);
  const condition = newest?.status?.conditions?.find(({ type }) => type === "Ready");
  if (condition?.status !== "True" || !condition.lastTransitionTime) {
    throw new Error("stable's newest pod is not ready");
  }
  return condition.lastTransitionTime.getTime();
}

describe("a canary that differs from stable in its environment alone", () => {
  beforeAll(async () => {
    const config = serviceConfig({ name: service, namespace }, 1);
    await makeReleaseStack(labSettings(), stack, {
      services: [
        {
          ...config,
          args: [
            ...["--port=8080", "--version=$(SERVICE_VERSION)"],
            "--cluster=$(CLUSTER_NAME) $(COLOUR)",
          ],
          env: { COLOUR: "blue" },
          canary: {
            ...config.canary,
            image: serverImage("v1"),
            env: { COLOUR: "green" },
            // As much as stable's: API servers write it in another form.
            resources: { requests: { ...smallRequests, cpu: "0.01" } },
          },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    for (const cluster of clusters) await ensureClientPod(cluster);
    await pulumi.up("workload: installation");
  });

  afterAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
  });

  it("shows its configuration in its own answers alone", async () => {
    for (const cluster of clusters) {
      expect(await colours(cluster, 50), cluster.name).toEqual(["v1 blue"]);
    }
    await pulumi.setWeight(10);
    await pulumi.up("workload: 10 %");
    for (const cluster of clusters) {
      expect(await colours(cluster, 150), cluster.name).toEqual(["v1 blue", "v2 green"]);
    }
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("lets neither version change under its name while it serves", async () => {
    await pulumi.setConfigs({
      "services[0].stable.env.COLOUR": "red",
      "services[0].canary.env.COLOUR": "yellow",
    });
    const text = await failure(pulumi.preview());
    const where = `of ${namespace}/${service} in ${first.name} and ${second.name}.`;
    expect(text).toContain(
      `services[0].stable.env: must stay what ${first.name} has for COLOUR while v1 serves 90 % ${where}`,
    );
    expect(text).toContain(
      `services[0].canary.env: must stay what ${first.name} has for COLOUR while v2 serves 10 % ${where}`,
    );
    expect(text).toContain("pulumi config set --path 'allow[0]' replace-stable");
    await pulumi.setConfig("services[0].canary.env.COLOUR", "green");
  });

  it("rolls stable in one cluster after the other if that is allowed", async () => {
    await pulumi.setConfig("allow[0]", "replace-stable");
    await pulumi.up("workload: another stable under the same name");
    expect(await begun(second)).toBeGreaterThanOrEqual(await ready(first));
    await pulumi.setConfig("allow", undefined);
    expect((await pulumi.preview()).value).toEqual([]);
    for (const cluster of clusters) {
      await until(
        `every pod of stable in ${cluster.name} to be the new one`,
        async () => {
          expect(await colours(cluster, 100)).toEqual(["v1 red", "v2 green"]);
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
    }
  });
});
