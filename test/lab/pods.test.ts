import type { KubernetesObject } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { podKey, type ClusterClient } from "../../fleet/cluster-client.ts";
import { clientImage } from "../../lab/mesh/client-pod.ts";
import { until } from "../../lib/until.ts";
import { clusters, first, withOwnRelease } from "./release.ts";
import { target } from "./target.ts";

const { service, replicas, change, expectEverywhere } = withOwnRelease("pods", {
  replicas: 2,
  // A pod takes its time to come on a machine that is busy.
  config: { safety: { checkWithin: "2m" } },
});

/** A Job whose pods are a proxy for 2 s each, for longer than a test takes. */
const job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "brief", namespace: `${target.namespaces}brief` },
  spec: {
    completions: 10_000,
    template: {
      spec: {
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "brief", image: clientImage, command: ["sleep", "2"] }],
      },
    },
  },
};
const namespace = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: job.metadata.namespace, labels: { "istio-injection": "enabled" } },
};

/** How many pods of the Job have come and gone in a cluster. */
async function ended(cluster: ClusterClient): Promise<number> {
  const { status = {} } = await cluster.objects.read<
    KubernetesObject & { status?: { succeeded?: number } }
  >(job);
  return status.succeeded ?? 0;
}

async function endedMore(cluster: ClusterClient, than: number): Promise<void> {
  await until(
    `more than ${than} pods of the Job in ${cluster.name} to have ended`,
    async () => {
      const now = await ended(cluster);
      if (now <= than) throw new Error(`${now} have`);
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
}

/** Keeps a pod that goes from being replaced. */
const quota = {
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "no-new-pods", namespace: service.namespace },
  spec: { hard: { pods: "0" } },
};

/** Writes of VirtualServices that an API server has been asked to try, which is one of the checks. */
async function dryRuns({ kubeConfig }: ClusterClient): Promise<number> {
  const context = kubeConfig.getCurrentContext();
  const { stdout } = await execa("kubectl", ["--context", context, "get", "--raw", "/metrics"], {
    env: target.environment(),
  });
  return stdout
    .split("\n")
    .filter((line) => /^apiserver_request_total{.*dry_run="All".*"virtualservices"/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function availableCanaries(cluster: ClusterClient): Promise<number> {
  const name = `${service.name}-${service.canary}`;
  const deployment = { name, namespace: service.namespace };
  const { status } = await cluster.apps.readNamespacedDeployment(deployment);
  return status?.availableReplicas ?? 0;
}

afterEach(async () => {
  await change(0);
  await expectEverywhere(0);
});

describe("pods that live for 2 s, in every cluster", () => {
  beforeAll(async () => {
    for (const cluster of clusters) {
      await cluster.objects.create(namespace);
      await cluster.objects.create(job);
    }
    await Promise.all(clusters.map((cluster) => endedMore(cluster, 0)));
  });

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.objects.delete(namespace)));
  });

  it("come and go while the weight rises", async () => {
    const during = clusters.map(() => 0);
    // An update may be shorter than it takes for a pod to come and go.
    while (during.includes(0)) {
      await change(0);
      const before = await Promise.all(clusters.map(ended));
      await change(10);
      const after = await Promise.all(clusters.map(ended));
      after.forEach((count, i) => {
        during[i] = (during[i] ?? 0) + count - (before[i] ?? 0);
      });
    }
    await expectEverywhere(10);
  });
});

describe("a canary's pod that is deleted while the weight rises", { tags: ["campaign"] }, () => {
  it("is waited for, and all clusters rise", async () => {
    const before = await dryRuns(first);
    const selector = `app=${service.name},version=${service.canary}`;
    const [pod] = await first.runningPods(selector, service.namespace);
    // The pod in its place comes only when the checks have seen that it is not there.
    await first.objects.create(quota);
    const update = change(10);
    await first.core.deleteNamespacedPod(podKey(pod ?? {}));
    const seen = until(
      "the checks to have looked",
      async () => {
        expect(await availableCanaries(first)).toBe(replicas - 1);
        if ((await dryRuns(first)) === before) throw new Error("they have not");
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
    await Promise.race([seen, update]).finally(() => first.objects.delete(quota));
    await update;
    expect(await availableCanaries(first)).toBe(replicas);
    await expectEverywhere(10);
  });
});
