import { rm } from "node:fs/promises";

import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { podKey, type MeshCluster } from "../../fleet/cluster.ts";
import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { labEnvironment, labStack } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../lab/stack-file.ts";
import { until } from "../../lib/until.ts";
import { labClusters, labPulumi } from "./lab.ts";

const STACK = "lab-pods";
const settings = labSettings();
const clusters = labClusters();
const [first] = clusters as [MeshCluster];
const pulumi = labPulumi(STACK);
const service = { service: "basket-service", namespace: "basket" };
const host = "basket-service.basket.svc.cluster.local";
const canary = "v2";
const REPLICAS = 2;

/** A Job whose pods are a proxy for 2 s each, two at a time, for longer than a test takes. */
const job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "brief", namespace: "brief" },
  spec: {
    completions: 10_000,
    parallelism: 2,
    template: {
      spec: {
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "brief", image: "docker.io/lab/client:1", command: ["sleep", "2"] }],
      },
    },
  },
};
const namespace = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: job.metadata.namespace, labels: { "istio-injection": "enabled" } },
};

/** `pulumi config set weight`, and `pulumi up`. */
async function change(weight: number): Promise<void> {
  await pulumi.setWeight(weight);
  await pulumi.up(`pods test: ${weight} %`);
}

/** What each API server has, and every Envoy that routes to the service serves. */
async function expectEverywhere(weight: number): Promise<void> {
  for (const cluster of clusters) {
    expect((await readRoute(cluster, service))?.weight, cluster.name).toBe(weight);
    const routes = await confirmWeight(cluster, { hosts: [host], canary, weight }, 30_000);
    expect(routes.length, cluster.name).toBeGreaterThan(0);
  }
}

/** How many pods of the Job have come and gone in a cluster. */
async function ended(cluster: MeshCluster): Promise<number> {
  const { status = {} } = await cluster.objects.read<
    KubernetesObject & { status?: { succeeded?: number } }
  >(job);
  return status.succeeded ?? 0;
}

async function endedMore(cluster: MeshCluster, than: number): Promise<void> {
  await until(
    `more than ${than} pods of the Job in ${cluster.name} to have ended`,
    async () => {
      const now = await ended(cluster);
      if (now <= than) throw new Error(`${now} have`);
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
}

/** Whether a cluster's one node takes new pods. */
async function setSchedulable(cluster: MeshCluster, schedulable: boolean): Promise<void> {
  const { items } = await cluster.core.listNode();
  for (const { metadata } of items) {
    const node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: metadata?.name ?? "" },
      spec: { unschedulable: !schedulable },
    };
    const patch = PatchStrategy.MergePatch;
    await cluster.objects.patch(node, undefined, undefined, undefined, undefined, patch);
  }
}

/** Writes of VirtualServices that an API server has been asked to try, which is one of the checks. */
async function dryRuns({ name }: MeshCluster): Promise<number> {
  const { stdout } = await execa("kubectl", ["--context", name, "get", "--raw", "/metrics"], {
    env: labEnvironment(settings),
  });
  return stdout
    .split("\n")
    .filter((line) => /^apiserver_request_total{.*dry_run="All".*"virtualservices"/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function availableCanaries(cluster: MeshCluster): Promise<number> {
  const name = `${service.service}-${canary}`;
  const deployment = { name, namespace: service.namespace };
  const { status } = await cluster.apps.readNamespacedDeployment(deployment);
  return status?.availableReplicas ?? 0;
}

beforeAll(async () => {
  const [user = {}] = (await stackKey(stackFile(settings, labStack), "services")) as object[];
  const version = (name: string) => ({
    version: name,
    image: `docker.io/lab/user-service:${name}`,
    replicas: REPLICAS,
  });
  // What a run that was interrupted has left may belong to a lab that is no more.
  await rm(stackFile(settings, STACK), { force: true });
  await pulumi.create();
  await setStackKeys(stackFile(settings, STACK), {
    meshStack: `organization/istio-canary/${labStack}`,
    services: [
      {
        ...user,
        name: service.service,
        namespace: service.namespace,
        stable: version("v1"),
        canary: version(canary),
        ingressHosts: [],
      },
    ],
    phases: [10, 100],
    weight: 0,
    // A pod takes its time to come on a machine that is busy.
    safety: { checkWithin: "2m" },
  });
  await pulumi.up("pods test: installation");
});

afterAll(async () => {
  await pulumi.destroy();
  await pulumi.remove();
});

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
    const before = await Promise.all(clusters.map(ended));
    await change(10);
    const after = await Promise.all(clusters.map(ended));
    expect(after.map((count, i) => count > (before[i] ?? 0))).toEqual(clusters.map(() => true));
    await expectEverywhere(10);
  });
});

describe("a canary's pod that is deleted while the weight rises", () => {
  afterEach(async () => {
    await setSchedulable(first, true);
  });

  it("is waited for, and all clusters rise", async () => {
    const before = await dryRuns(first);
    const selector = `app=${service.service},version=${canary}`;
    const [pod] = await first.runningPods(selector, service.namespace);
    // The pod in its place comes only when the checks have seen that it is not there.
    await setSchedulable(first, false);
    const update = change(10);
    await first.core.deleteNamespacedPod(podKey(pod ?? {}));
    const seen = until(
      "the checks to have looked",
      async () => {
        expect(await availableCanaries(first)).toBe(REPLICAS - 1);
        if ((await dryRuns(first)) === before) throw new Error("they have not");
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
    await Promise.race([seen, update]);
    await setSchedulable(first, true);
    await update;
    expect(await availableCanaries(first)).toBe(REPLICAS);
    await expectEverywhere(10);
  });
});
