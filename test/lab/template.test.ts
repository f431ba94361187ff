import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { loadInMesh } from "../../lab/demo/load.ts";
import { call, calls } from "../../lab/mesh/call.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { labService } from "../../lab/mesh/service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { labPulumi } from "./lab.ts";
import { clusters } from "./release.ts";
import { wholeRelease } from "./whole-release.ts";

const stack = "lab-template";
const { name: service, namespace, host } = labService("template", "");
const pulumi = labPulumi(stack);
/** An image that has a shell, and a user of the lab's own. */
const SHELL = "docker.io/lab/client:1";

const tmp = { name: "tmp", mountPath: "/tmp" };
const template = {
  metadata: { annotations: { "example.com/team": "shop" } },
  spec: {
    terminationGracePeriodSeconds: 5,
    volumes: [{ name: "tmp", emptyDir: { sizeLimit: "16Mi" } }],
    initContainers: [
      {
        name: "prepare",
        image: SHELL,
        command: ["sh", "-c", "echo prepared > /tmp/state"],
        volumeMounts: [tmp],
      },
    ],
    containers: [
      {
        name: service,
        volumeMounts: [tmp],
        env: [
          { name: "GREETING", valueFrom: { configMapKeyRef: { name: "theirs", key: "text" } } },
        ],
        // The answers then show that the variable has come from the ConfigMap.
        args: [
          "--port=8080",
          "--version=$(SERVICE_VERSION)",
          "--cluster=$(GREETING)-$(CLUSTER_NAME)",
        ],
        startupProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
      },
      {
        name: "beside",
        image: SHELL,
        command: ["sh", "-c", "cat /tmp/state && exec sleep infinity"],
        volumeMounts: [tmp],
        resources: { requests: { cpu: "5m", memory: "8Mi" } },
      },
    ],
  },
};

/** What another team keeps in a namespace that the program makes: it comes as soon as the namespace is there. */
async function makeConfigMap({ name, core }: ClusterClient): Promise<void> {
  await until(`namespace ${namespace} of ${name}`, () => core.readNamespace({ name: namespace }), {
    timeoutMs: 120_000,
    everyMs: 250,
  });
  const body = { metadata: { name: "theirs" }, data: { text: "hello" } };
  await core.createNamespacedConfigMap({ namespace, body });
}

describe("a service with a pod template of its own", () => {
  beforeAll(async () => {
    await makeReleaseStack(labSettings(), stack, {
      services: [{ ...serviceConfig({ name: service, namespace }, 1), template }],
      phases: [10, 30, 100],
      weight: 0,
    });
  });

  afterAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
  });

  it("becomes ready in every cluster with volume, variable, init container and a container beside", async () => {
    await Promise.all([pulumi.up("template: a new service"), ...clusters.map(makeConfigMap)]);
    for (const cluster of clusters) {
      const { items } = await cluster.core.listNamespacedPod({
        namespace,
        labelSelector: `app=${service}`,
      });
      expect(items, cluster.name).toHaveLength(2);
      for (const { metadata, spec, status } of items) {
        expect(metadata?.annotations).toMatchObject({ "example.com/team": "shop" });
        expect(spec?.terminationGracePeriodSeconds).toBe(5);
        const containers = spec?.containers.map(({ name }) => name);
        expect(containers).toEqual(expect.arrayContaining([service, "beside"]));
        expect(status?.conditions).toContainEqual(
          expect.objectContaining({ type: "Ready", status: "True" }),
        );
      }
      const log = await cluster.core.readNamespacedPodLog({
        namespace,
        name: items[0]?.metadata?.name ?? "",
        container: "beside",
      });
      expect(log).toContain("prepared");
    }
  });

  it("is called as any other one, and nothing is left to do", async () => {
    const [first] = clusters as [ClusterClient];
    const client = await ensureClientPod(first);
    await until(
      "the client to know the service",
      async () => {
        const { status } = await call(first, client, `http://${host}/`);
        if (status !== 200) throw new Error(`it has answered ${status}`);
      },
      { timeoutMs: 30_000, everyMs: 250 },
    );
    const answers = await calls(first, client, `http://${host}/`, 20);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const { cluster } of answers) {
      expect(clusters.map(({ name }) => `hello-${name}`)).toContain(cluster);
    }
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it("goes to 100 % and back", { tags: ["campaign"] }, async () => {
    const load = await Promise.all(
      clusters.map((cluster) => loadInMesh(cluster, `http://${host}/`, 5)),
    );
    try {
      await wholeRelease(pulumi, [{ host, canary: "v2" }], load);
    } finally {
      await Promise.all(load.map((client) => client.stop()));
    }
  });
});
