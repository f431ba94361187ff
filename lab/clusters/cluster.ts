import { readFile } from "node:fs/promises";
import path from "node:path";
import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  type KubernetesObject,
} from "@kubernetes/client-node";
import { load, loadAll } from "js-yaml";
import { until } from "../../lib/until.ts";
import type { ClusterSettings } from "../settings.ts";
import { nthAddress, type ClusterAddresses } from "./addresses.ts";
import { ensureCertificates, pkiDir } from "./certificates.ts";
import { componentSteps, findProcess } from "./component-process.ts";
import { importImages, type ImageArchive } from "./images.ts";
import type { Kubeconfig } from "./kubeconfig.ts";
import type { Node } from "./node.ts";
import { dnsAddress } from "./node-programs.ts";
import { nodePlan, type Component } from "./plan.ts";
import { runSteps, type Step } from "./steps.ts";

/** A cluster of the lab, and the nodes that it runs on. */
export interface Cluster {
  readonly settings: ClusterSettings;
  readonly addresses: ClusterAddresses;
  readonly nodes: readonly Node[];
  /** The one of its nodes that the control plane runs on. */
  readonly controlPlane: Node;
}

/** What a cluster is made of. */
interface Parts {
  /** Folder with the Kubernetes programs. */
  readonly bin: string;
  readonly images: readonly ImageArchive[];
}

/** The components of a node, from the programs in `bin`. */
export function componentsOf(node: Node, bin: string): readonly Component[] {
  const { cluster, addresses, own, cgroup } = node;
  return nodePlan({ cluster, addresses, node: own, bin, cgroup: `/${cgroup.path}` });
}

/**
 * Brings one cluster up, or restarts what has died in it: returns when all of its nodes are Ready and its
 * DNS answers on each of them.
 *
 * @param report told the name of each part that is ready
 */
export async function ensureCluster(
  { settings, addresses, nodes }: Cluster,
  parts: Parts,
  report: (part: string) => void,
): Promise<void> {
  for (const node of nodes) await node.ensure();
  await ensureCertificates(settings, addresses);
  const steps = await Promise.all(nodes.map((node) => nodeSteps(node, parts)));
  await runSteps(
    [
      ...steps.flat(),
      {
        name: "system objects",
        after: ["kube-apiserver"],
        run: () => applySystem(settings),
      },
    ],
    report,
  );
}

/**
 * The steps that bring one node up. Their names end in the node's suffix; what they come after is a step
 * of the same node where it has one of that name.
 */
async function nodeSteps(node: Node, { bin, images }: Parts): Promise<Step[]> {
  const components = componentsOf(node, bin);
  await node.makeCgroups(components);
  const steps: Step[] = [
    ...componentSteps(components, node),
    { name: "images", after: ["containerd"], run: () => importImages(node, images) },
    {
      name: "node",
      after: ["kubelet"],
      run: (signal) => nodeReady(node, components, signal),
    },
    {
      name: "DNS",
      after: ["node", "images", "system objects", "kube-proxy"],
      run: (signal) => dnsAnswers(node, signal),
    },
  ];
  const names = new Set(steps.map(({ name }) => name));
  const { suffix } = node.own;
  return steps.map((step) => ({
    ...step,
    name: `${step.name}${suffix}`,
    after: step.after.map((name) => (names.has(name) ? `${name}${suffix}` : name)),
  }));
}

/** The cluster's kubeconfig with the rights of its administrator. */
export async function adminKubeconfig(cluster: ClusterSettings): Promise<Kubeconfig> {
  return load(await readFile(adminFile(cluster), "utf8")) as Kubeconfig;
}

/** Whether the node's kubelet says that it is ready. */
export async function isNodeReady(node: Node, since = new Date(0)): Promise<boolean> {
  const api = clientConfig(node.cluster).makeApiClient(CoreV1Api);
  const found = await api.readNode({ name: node.own.name });
  const ready = found.status?.conditions?.find((condition) => condition.type === "Ready");
  return ready?.status === "True" && (ready.lastHeartbeatTime ?? new Date(0)) >= since;
}

/** The addresses that Services of the cluster have to the outside. */
export async function loadBalancerAddresses(
  cluster: ClusterSettings,
): Promise<{ service: string; address: string }[]> {
  const { items } = await clientConfig(cluster)
    .makeApiClient(CoreV1Api)
    .listServiceForAllNamespaces();
  return items.flatMap(({ metadata, status }) =>
    (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ({
      service: `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`,
      address: ip ?? "",
    })),
  );
}

async function nodeReady(
  node: Node,
  components: readonly Component[],
  signal: AbortSignal,
): Promise<void> {
  const kubelet = components.find((component) => component.name === "kubelet");
  const running = kubelet && (await findProcess(kubelet, node));
  // What an earlier kubelet said says nothing. The API keeps whole seconds.
  const since = new Date(Math.floor((running?.startedAt.getTime() ?? Date.now()) / 1000) * 1000);
  await until(
    `node ${node.own.name} to be Ready`,
    async () => {
      if (!(await isNodeReady(node, since))) throw new Error("its kubelet does not say so yet");
    },
    { timeoutMs: node.readyTimeoutMs, signal },
  );
}

async function applySystem(cluster: ClusterSettings): Promise<void> {
  const text = await readFile(path.join(import.meta.dirname, "system.yaml"), "utf8");
  const manifests = loadAll(
    text
      .replace(/\bDNS_ADDRESS$/m, dnsAddress(cluster))
      .replace(/\bNODES$/m, String(cluster.nodes.length)),
  );
  const api = KubernetesObjectApi.makeApiClient(clientConfig(cluster));
  for (const manifest of manifests as KubernetesObject[]) {
    try {
      await api.patch(manifest, undefined, undefined, "lab", true, PatchStrategy.ServerSideApply);
    } catch (error) {
      throw new Error(
        `Cannot apply ${manifest.kind ?? ""} ${manifest.metadata?.name ?? ""} to ${cluster.name}: ` +
          (error instanceof ApiException ? String(error.body) : String(error)),
        { cause: error },
      );
    }
  }
}

async function dnsAnswers(node: Node, signal: AbortSignal): Promise<void> {
  const probe = path.join(import.meta.dirname, "dns-probe.ts");
  const name = "kubernetes.default.svc.cluster.local";
  const expected = nthAddress(node.cluster.serviceCidr, 1);
  await until(
    `DNS of ${node.cluster.name} to answer on ${node.own.name}`,
    async () => {
      const answer = await node.run(process.execPath, probe, dnsAddress(node.cluster), name);
      if (answer !== expected) throw new Error(`it says ${name} is ${answer}, not ${expected}`);
    },
    { timeoutMs: node.readyTimeoutMs, everyMs: 300, signal },
  );
}

function clientConfig(cluster: ClusterSettings): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(adminFile(cluster));
  return config;
}

function adminFile(cluster: ClusterSettings): string {
  return path.join(pkiDir(cluster), "admin.kubeconfig");
}
