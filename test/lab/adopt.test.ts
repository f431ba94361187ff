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
import { clusters, failure } from "./release.ts";

const stack = "lab-adopt";
const name: ServiceName = { service: "web", namespace: "adopt" };
const { service, namespace } = name;
const host = serviceHost(name, "cluster.local");
const PORT = 9080;
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

type Rule = KubernetesObject & { spec: object };

/** Rules of theirs: all requests go to v1, without a time limit. */
const rules: readonly Rule[] = [
  {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: service, namespace },
    spec: {
      host: service,
      subsets: ["v1", "v2"].map((version) => ({ name: version, labels: { version } })),
    },
  },
  {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: service, namespace },
    spec: {
      hosts: [service],
      http: [{ route: [{ destination: { host: service, subset: "v1" } }] }],
    },
  },
];

/** A Deployment of theirs. */
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

/** The rules' identities: what is deleted and made anew gets another one. */
async function identities(): Promise<string[]> {
  const all = await Promise.all(
    clusters.map(async ({ objects, name: cluster }) =>
      Promise.all(
        rules.map(async ({ apiVersion = "", kind = "" }) => {
          const { metadata } = await objects.read({
            apiVersion,
            kind,
            metadata: { name: service, namespace },
          });
          return `${cluster} ${kind} ${metadata?.uid ?? ""}`;
        }),
      ),
    ),
  );
  return all.flat();
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

describe("a service whose owner has rules for it", () => {
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
  let theirRules: string[];

  beforeAll(async () => {
    await removeTheirs();
    for (const cluster of clusters) {
      await apply(cluster, home);
      await apply(cluster, theirs);
    }
    await deploy("blue", "v1");
    await deploy("green", "v2");
    for (const cluster of clusters) for (const rule of rules) await apply(cluster, rule);
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
          adopt: true,
          stable: { version: "v1" },
          canary: { version: "v2" },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    theirRules = await identities();
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await removeTheirs();
  });

  it("is refused in the preview while the config does not say what they say", async () => {
    const text = await failure(pulumi.preview());
    for (const cluster of clusters) {
      expect(text).toContain(
        `of VirtualService adopt/web in ${cluster.name} spec.http[0].timeout is none, but the config makes it 10000ms (timeout)`,
      );
    }
  });

  it("is adopted in place, and no request goes another way", async () => {
    await pulumi.setConfig("services[0].timeout", "none");
    const since = Date.now();
    await pulumi.up("adopt: adoption");
    expect(await identities()).toEqual(theirRules);
    expect(await versionsSince(since, 50)).toEqual(clusters.map(() => ["v1"]));
    expectAnswered(load);
    for (const cluster of clusters) {
      const route = await readRoute(cluster, name);
      expect(route, cluster.name).toMatchObject({ stable: "v1", weight: 0, existing: true });
    }
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("rises in every cluster without a failed request", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("adopt: 10 %");
    for (const cluster of clusters) {
      await confirmWeight(cluster, { hosts: [host], canary: "v2", weight: 10 }, 30_000);
    }
    const since = Date.now();
    expect(await versionsSince(since, 150)).toEqual(clusters.map(() => ["v1", "v2"]));
    expectAnswered(load);
    expect(await identities()).toEqual(theirRules);
  });
});
