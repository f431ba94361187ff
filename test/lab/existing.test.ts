import {
  PatchStrategy,
  type KubernetesObject,
  type V1Deployment,
  type V1Service,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serverImage, smallRequests } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { releaseCommand } from "./release-command.ts";
import { clusters, failure } from "./release.ts";

const stack = "lab-existing";
const name: ServiceName = { service: "web", namespace: "existing" };
const { service, namespace } = name;
const host = serviceHost(name, "cluster.local");
const PORT = 9080;
/** Versions as many owners have them, and as no subset of Istio's may be called. */
const [STABLE, CANARY] = ["1.16.1", "2.0.0_rc.1"];
const pulumi = labPulumi(stack);

/** What another team has deployed: nothing in it is named as the program would name it. */
const home = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: namespace, labels: { "istio-injection": "enabled" } },
};
const theirs: V1Service & KubernetesObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: service, namespace },
  spec: { selector: { tier: "web" }, ports: [{ name: "http", port: PORT, targetPort: 8080 }] },
};

/** A rule of theirs for all services of the namespace, which changes no request. */
const wildcard: KubernetesObject & { spec: object } = {
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  metadata: { name: "all", namespace },
  spec: { host: `*.${namespace}.svc.cluster.local` },
};

/** A Deployment of theirs, which may get another version label as time goes by. */
function deployment(
  track: "blue" | "green",
  version: string,
  cluster: string,
): V1Deployment & KubernetesObject {
  const selector = { tier: "web", track };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: track, namespace },
    spec: {
      replicas: 1,
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: { ...selector, version } },
        spec: {
          containers: [
            {
              name: "server",
              image: serverImage(track === "blue" ? "v1" : "v2"),
              args: ["--port=8080", `--version=${version}`, `--cluster=${cluster}`],
              ports: [{ containerPort: 8080 }],
              resources: { requests: smallRequests },
              readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 },
              // Until no Envoy sends it requests any more.
              lifecycle: { preStop: { sleep: { seconds: 4 } } },
            },
          ],
        },
      },
    },
  };
}

async function apply(cluster: ClusterClient, object: KubernetesObject): Promise<void> {
  await cluster.objects.patch(
    object,
    undefined,
    undefined,
    "another-team",
    true,
    PatchStrategy.ServerSideApply,
  );
}

/** Has a version deployed in every cluster, and waits until it is there. */
async function deploy(track: "blue" | "green", version: string): Promise<void> {
  for (const cluster of clusters) await apply(cluster, deployment(track, version, cluster.name));
  for (const { apps, name: cluster } of clusters) {
    await until(
      `${version} of ${cluster}`,
      async () => {
        const { metadata, spec, status } = await apps.readNamespacedDeployment({
          name: track,
          namespace,
        });
        const { observedGeneration, updatedReplicas, availableReplicas, replicas } = status ?? {};
        if (
          observedGeneration !== metadata?.generation ||
          [updatedReplicas, availableReplicas, replicas].some((count) => count !== spec?.replicas)
        ) {
          throw new Error(JSON.stringify(status));
        }
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
}

/** Has a Deployment removed in every cluster, and waits until no pod of it is left. */
async function undeploy(track: "blue" | "green"): Promise<void> {
  for (const { apps } of clusters)
    await apps.deleteNamespacedDeployment({ name: track, namespace });
  for (const { core, name: cluster } of clusters) {
    await until(
      `the pods of ${track} in ${cluster} to be gone`,
      async () => {
        const labelSelector = `track=${track}`;
        const { items } = await core.listNamespacedPod({ namespace, labelSelector });
        if (items.length > 0) throw new Error(`${items.length} are there`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
}

/** Everything of theirs by its identity: what is replaced or restarted gets another one. */
async function identities(): Promise<string[]> {
  const all = await Promise.all(
    clusters.map(async ({ core, apps, name: cluster }) => {
      const { items: pods } = await core.listNamespacedPod({ namespace });
      const { items: deployments } = await apps.listNamespacedDeployment({ namespace });
      const objects = [
        await core.readNamespace({ name: namespace }),
        await core.readNamespacedService({ name: service, namespace }),
        ...deployments,
        ...pods.filter(({ metadata }) => !metadata?.deletionTimestamp),
      ];
      return objects.map(
        ({ metadata }) => `${cluster} ${metadata?.name ?? ""} ${metadata?.uid ?? ""}`,
      );
    }),
  );
  return all.flat().sort();
}

async function removeTheirs(): Promise<void> {
  for (const { core, name: cluster } of clusters) {
    try {
      await core.deleteNamespace({ name: namespace });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    await until(
      `namespace ${namespace} of ${cluster} to be gone`,
      async () => {
        const { items } = await core.listNamespace({ fieldSelector: `metadata.name=${namespace}` });
        if (items.length > 0) throw new Error("not yet");
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
  }
}

describe("a service that another team has deployed", () => {
  const load: LoadClient[] = [];
  /** Versions that have answered each client since a moment. */
  const answered = (since: number) =>
    load.map(({ answers }) => {
      const own = answers.filter(({ at, version }) => at > since && version !== undefined);
      return {
        count: own.length,
        versions: [...new Set(own.map(({ version }) => version))].sort(),
      };
    });
  /** Waits until each client has many answers from then on, and tells the versions that have given them. */
  const versionsSince = async (since: number, count = 100) => {
    await until(
      `${count} more answers of every client`,
      () => {
        const few = answered(since).find((each) => each.count < count);
        if (few) throw new Error(`one has ${few.count}`);
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
    return answered(since).map(({ versions }) => versions);
  };
  let theirObjects: string[];

  beforeAll(async () => {
    await removeTheirs();
    for (const cluster of clusters) {
      await apply(cluster, home);
      await apply(cluster, theirs);
    }
    await deploy("blue", "v1");
    await deploy("green", CANARY);
    for (const cluster of clusters) {
      load.push(await loadInMesh(cluster, `http://${host}:${PORT}/`, 10));
    }
    await makeReleaseStack(labSettings(), stack, {
      services: [
        {
          workload: "existing",
          name: service,
          namespace,
          servicePort: PORT,
          serviceAccounts: ["default"],
          ingressHosts: [],
          stable: { version: "v1" },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    theirObjects = await identities();
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await removeTheirs();
  });

  it("is refused in the preview with what is missing in which cluster", async () => {
    for (const cluster of clusters) await apply(cluster, wildcard);
    await pulumi.setConfig("services[0].servicePort", "80");
    const text = await failure(pulumi.preview());
    await pulumi.setConfig("services[0].servicePort", String(PORT));
    for (const cluster of clusters) await cluster.objects.delete(wildcard);
    for (const cluster of clusters) {
      expect(text).toContain(
        `services[0].servicePort: must be a port of Service existing/web in ${cluster.name}, which has ${PORT}`,
      );
      expect(text).toContain(
        `in ${cluster.name} DestinationRule existing/all (by its host *.existing.svc.cluster.local) routes existing/web`,
      );
    }
  });

  it("is adopted without a restart, and its versions stay its owner's concern", async () => {
    await pulumi.up("existing: adoption");
    expect(await identities()).toEqual(theirObjects);
    const since = Date.now();
    expect(await versionsSince(since)).toEqual(clusters.map(() => ["v1", CANARY].sort()));
    // The stable one under another label: no route names it.
    await deploy("blue", STABLE);
    expectAnswered(load);
  });

  it("sends all requests to the stable version once a canary is configured", async () => {
    await pulumi.setConfig("services[0].stable.version", STABLE);
    await pulumi.setConfig("services[0].canary.version", CANARY);
    theirObjects = await identities();
    await pulumi.up("existing: canary at 0 %");
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: CANARY, weight: 0 }, 30_000);
    }
    const since = Date.now() + 1_000;
    expect(await versionsSince(since, 50)).toEqual(clusters.map(() => [STABLE]));
  });

  it("rises in every cluster without a failed request or another pod", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("existing: 10 %");
    for (const cluster of clusters) {
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
      const routes = await confirmWeight(
        cluster,
        { hosts: [host], canary: CANARY, weight: 10 },
        30_000,
      );
      expect(routes.length, cluster.name).toBeGreaterThan(0);
    }
    const since = Date.now();
    expect(await versionsSince(since, 150)).toEqual(clusters.map(() => [STABLE, CANARY].sort()));
    expectAnswered(load);
    expect(await identities()).toEqual(theirObjects);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("keeps its canary while the owner's pods would get requests without it", async () => {
    const { exitCode, text: zeroed } = await releaseCommand(
      "zero",
      "--service",
      `${namespace}/${service}`,
    );
    expect(exitCode, zeroed).toBe(0);
    expect(zeroed).toContain(CANARY);
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: CANARY, weight: 0 }, 30_000);
    }
    await pulumi.setWeight(0);
    await pulumi.up("existing: 0 %");
    await pulumi.setConfig("services[0].canary", undefined);
    const text = await failure(pulumi.preview());
    for (const cluster of clusters) {
      expect(text).toContain(
        `services[0].canary: must stay while Service existing/web in ${cluster.name} selects pods of other versions than ${STABLE}`,
      );
    }
    await undeploy("green");
    await pulumi.up("existing: no canary");
    theirObjects = await identities();
  });

  it("stays with its owner when the stack is destroyed, and answers", async () => {
    await pulumi.destroy();
    const since = Date.now();
    for (const cluster of clusters) expect(await readRoute(cluster, name)).toBeUndefined();
    expect(await versionsSince(since, 50)).toEqual(clusters.map(() => [STABLE]));
    expectAnswered(load);
    expect(await identities()).toEqual(theirObjects);
  });
});
