// @module-tag campaign
import { readFile } from "node:fs/promises";
import path from "node:path";

import { ApiException, PatchStrategy, setHeaderOptions, type V1Pod } from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod";

import { podKey, type ClusterClient } from "../../../fleet/cluster-client.ts";
import { isNotFound } from "../../../fleet/explain.ts";
import { cniFolders } from "../../../lab/clusters/node-programs.ts";
import { labEnvironment } from "../../../lab/environment.ts";
import { call, calls } from "../../../lab/mesh/call.ts";
import { clientImage, deleteClientPod, ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { hostInCluster } from "../../../lab/mesh/service.ts";
import { smallRequests } from "../../../lab/service-config.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackKey } from "../../../lab/stack-file.ts";
import { CNI_NAMESPACE, INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { underLoad } from "../load.ts";
import { clusters, first, meshRelease, second } from "../release.ts";

const { pulumi, service, file, change, expectEverywhere } = meshRelease;
const { namespace } = service;
const settings = labSettings();
const CLIENT = "cni-client";
/** The DaemonSet of Istio's chart `cni`. */
const AGENT = "istio-cni-node";

// Its clients are pods with an init container, and stay as they are.
const load = underLoad(meshRelease, { inMesh: [first, second], outside: [first, second] });

const mesh = z
  .looseObject({ values: z.looseObject({ istiod: z.looseObject({}) }) })
  .parse(await stackKey(file, "mesh"));
const values = {
  ...mesh.values,
  cni: {
    cniBinDir: cniFolders.plugins,
    cniConfDir: cniFolders.config,
    resources: { requests: smallRequests },
  },
};
const installed = { ...mesh, cni: "installed", values };
/** The agent stays, and pods get the init container again. */
const leaving = {
  ...installed,
  values: { ...values, istiod: { ...values.istiod, pilot: { cni: { enabled: false } } } },
};

/** `pulumi up` with this mesh, after which nothing is left to do. */
async function apply(step: string, keys: object): Promise<void> {
  await setStackKeys(file, { mesh: keys });
  await pulumi.up(`cni test: ${step}`);
  expect((await pulumi.preview()).value).toEqual([]);
}

/** Every pod of the service, of the gateways and of the load's clients that does not go, by its id. */
async function uids(cluster: ClusterClient): Promise<readonly string[]> {
  const pods = await cluster.podsWithProxy();
  return pods.map(({ metadata }) => metadata?.uid ?? "").sort();
}

/** The service's pods that do not go. */
async function servicePods(
  { core }: ClusterClient,
  phase: "Pending" | "Running" = "Running",
): Promise<readonly V1Pod[]> {
  const { items } = await core.listNamespacedPod({
    namespace,
    labelSelector: `app=${service.name}`,
    fieldSelector: `status.phase=${phase}`,
  });
  return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
}

/** Keeps the agent of the second cluster to nodes with this label: to none of them. @param value null: to all again */
async function selectNodes(value: string | null): Promise<void> {
  const template = { spec: { nodeSelector: { "lab.test/agent": value } } };
  await second.apps.patchNamespacedDaemonSet(
    { name: AGENT, namespace: CNI_NAMESPACE, body: { spec: { template } } },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
}

/** Replaces the pods of the service, as an operator does, and waits for the new ones. */
async function restart(): Promise<void> {
  for (const { name } of clusters) {
    const kubectl = (...args: readonly string[]) =>
      execa("kubectl", ["--context", name, "--namespace", namespace, ...args], {
        env: labEnvironment(settings),
        stdin: "ignore",
      });
    await kubectl("rollout", "restart", "deployment");
    const { stdout } = await kubectl("get", "deployment", "--output", "name");
    for (const each of stdout.split("\n")) {
      await kubectl("rollout", "status", each, "--timeout=180s");
    }
  }
}

function initContainers({ spec }: V1Pod): readonly string[] {
  return (spec?.initContainers ?? []).map(({ name }) => name);
}

/** Capabilities that containers of a pod add. */
function added({ spec }: V1Pod): readonly string[] {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return containers.flatMap(({ securityContext }) => securityContext?.capabilities?.add ?? []);
}

/** The plugins that make the network of pods, by each node's own file. */
function plugins(): Promise<readonly (readonly string[])[]> {
  const nodes = settings.clusters.flatMap((cluster) => cluster.nodes);
  return Promise.all(
    nodes.map(async ({ dir }) => {
      const text = await readFile(path.join(dir, "cni", "10-bridge.conflist"), "utf8");
      const { plugins: all } = JSON.parse(text) as { plugins: readonly { type: string }[] };
      return all.map(({ type }) => type);
    }),
  );
}

/** Whether an agent is ready on each node. */
async function agents({ apps }: ClusterClient): Promise<boolean> {
  const { status } = await apps.readNamespacedDaemonSet({ name: AGENT, namespace: CNI_NAMESPACE });
  const { desiredNumberScheduled: wanted, numberReady } = status ?? {};
  return wanted !== undefined && wanted > 0 && numberReady === wanted;
}

/** Calls the service from a pod that is started for it, and gives the answers. */
async function callsFrom(cluster: ClusterClient, count: number) {
  await deleteClientPod(cluster, CLIENT);
  const pod = await ensureClientPod(cluster, CLIENT);
  const answers = await calls(cluster, pod, `http://${service.host}/`, count);
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return { pod, answers };
}

afterAll(async () => {
  await pulumi.setWeight(0);
  await setStackKeys(file, { mesh });
  await pulumi.up("lab tests end");
  const pods = (await Promise.all(clusters.map((each) => servicePods(each)))).flat();
  if (pods.some((pod) => !initContainers(pod).includes("istio-init"))) await restart();
  for (const cluster of clusters) await deleteClientPod(cluster, CLIENT);
});

describe("Istio's CNI agent, under load", () => {
  it("is ready on each node once the update ends, and changes no pod", async () => {
    const before = await Promise.all(clusters.map(uids));
    await apply("the agent", installed);
    expect(await Promise.all(clusters.map(agents))).toEqual(clusters.map(() => true));
    for (const chain of await plugins()) {
      expect(chain).toEqual(["bridge", "portmap", "istio-cni"]);
    }
    expect(await Promise.all(clusters.map(uids))).toEqual(before);
    load.expectNoFailure();
  });

  it("lets the pods of namespaces that enforce `restricted` have sidecars", async () => {
    await apply("restricted", { ...installed, podSecurity: "restricted" });
    await restart();
    for (const cluster of clusters) {
      for (const name of [namespace, INGRESS_NAMESPACE]) {
        const { metadata } = await cluster.core.readNamespace({ name });
        expect(metadata?.labels).toMatchObject({
          "pod-security.kubernetes.io/enforce": "restricted",
        });
      }
      const pods = await servicePods(cluster);
      expect(pods.length, cluster.name).toBeGreaterThan(0);
      for (const pod of pods) {
        expect(pod.metadata?.annotations).toHaveProperty(["sidecar.istio.io/status"]);
        expect(initContainers(pod)).toContain("istio-validation");
        expect(initContainers(pod)).not.toContain("istio-init");
        expect(added(pod)).toEqual([]);
      }
      // The namespace would take no pod with the init container.
      const refused: unknown = await cluster.core
        .createNamespacedPod({
          namespace,
          dryRun: "All",
          body: {
            metadata: { name: "cni-refused" },
            spec: {
              containers: [
                {
                  ...{ name: "one", image: clientImage },
                  securityContext: { capabilities: { add: ["NET_ADMIN"] } },
                },
              ],
            },
          },
        })
        .catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ApiException);
      expect(String(refused)).toContain("violates PodSecurity");
      expect(String(refused)).toContain("NET_ADMIN");
    }
    load.expectNoFailure();
  });

  it("leads their requests through the mesh: by mTLS, split by the weight, to both clusters", async () => {
    await change(10);
    await change(30);
    await expectEverywhere(30);
    for (const cluster of clusters) {
      const { pod, answers } = await callsFrom(cluster, 200);
      expect(initContainers(pod)).not.toContain("istio-init");
      // Of its 200 requests 60 are expected; fewer than 30 or more than 90 in one run of a million.
      const canary = answers.filter(({ version }) => version === service.canary).length;
      expect(canary).toBeGreaterThan(30);
      expect(canary).toBeLessThan(90);
      expect(new Set(answers.map((answer) => answer.cluster))).toEqual(
        new Set(clusters.map(({ name }) => name)),
      );
      // The proxy of who answers has seen the certificate of who asks.
      const caller = `URI=spiffe://cluster.local/ns/${pod.metadata?.namespace ?? ""}/sa/`;
      expect(answers.filter(({ body }) => !body.includes(caller))).toEqual([]);
      // Names of the other clusters are resolved by the sidecar alone.
      for (const { name } of clusters.filter((each) => each !== cluster)) {
        const url = `http://${hostInCluster(service, name)}/`;
        expect(await call(cluster, pod, url)).toMatchObject({ status: 200, cluster: name });
      }
    }
    load.expectNoFailure();
  });

  it("repairs a pod that has started on a node without it", async () => {
    await selectNodes("none");
    await until(
      "the nodes to be without the agent",
      async () => {
        expect(await second.runningPods(`k8s-app=${AGENT}`, CNI_NAMESPACE)).toEqual([]);
      },
      { timeoutMs: 60_000 },
    );
    const [old] = await servicePods(second);
    if (!old) throw new Error("the service has no pod");
    const known = await uids(second);
    await second.core.deleteNamespacedPod({ namespace, name: podKey(old).name });
    /** The pod in its place, which is not ready. */
    const replacement = async (): Promise<V1Pod> => {
      const pods = await servicePods(second, "Pending");
      const pod = pods.find(({ metadata }) => !known.includes(metadata?.uid ?? ""));
      if (!pod) throw new Error("it is not there");
      return pod;
    };
    await until(
      "the new pod to refuse to start",
      async () => {
        const { status } = await replacement();
        const states = (status?.initContainerStatuses ?? []).flatMap(({ state, lastState }) => [
          state?.terminated,
          lastState?.terminated,
        ]);
        // What istio-validation ends with when nothing leads the pod's traffic to the sidecar.
        expect(states.map((state) => state?.exitCode)).toContain(126);
      },
      { timeoutMs: 60_000 },
    );
    const { metadata } = await replacement();
    await selectNodes(null);
    await until(
      "the pod to be repaired",
      async () => {
        const pods = await second.proxies(`app=${service.name}`);
        expect(pods.map((pod) => pod.metadata?.uid)).toContain(metadata?.uid);
      },
      { timeoutMs: 180_000 },
    );
    load.expectNoFailure();
  });

  it("is taken away once pods have the init container again, without a failed request", async () => {
    await change(0);
    await apply("the init container again", leaving);
    await restart();
    await apply("no agent", mesh);
    for (const cluster of clusters) {
      for (const pod of await servicePods(cluster)) {
        expect(initContainers(pod)).toContain("istio-init");
      }
      const gone: unknown = await agents(cluster).catch((error: unknown) => error);
      expect(isNotFound(gone)).toBe(true);
    }
    await until(
      "the nodes to be without the plugin",
      async () => {
        for (const chain of await plugins()) expect(chain).toEqual(["bridge", "portmap"]);
      },
      { timeoutMs: 60_000 },
    );
    for (const cluster of clusters) {
      const { pod } = await callsFrom(cluster, 10);
      expect(initContainers(pod)).toContain("istio-init");
      const { metadata } = await cluster.core.readNamespace({ name: namespace });
      expect(metadata?.labels).not.toHaveProperty(["pod-security.kubernetes.io/enforce"]);
      expect(await cluster.runningPods("istio=eastwestgateway", SYSTEM_NAMESPACE)).not.toEqual([]);
    }
    load.expectNoFailure();
  });
});
