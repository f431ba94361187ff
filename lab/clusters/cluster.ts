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
import { nthAddress } from "./addresses.ts";
import { ensureCertificates, pkiDir } from "./certificates.ts";
import { componentSteps, findProcess } from "./component-process.ts";
import { importImages, type ImageArchive } from "./images.ts";
import type { Kubeconfig } from "./kubeconfig.ts";
import type { Node } from "./node.ts";
import { dnsAddress } from "./node-programs.ts";
import { nodePlan, type Component } from "./plan.ts";
import { runSteps } from "./steps.ts";

/** The components of a node, from the programs in `bin`. */
export function componentsOf(node: Node, bin: string): readonly Component[] {
  const { cluster, addresses, cgroup } = node;
  return nodePlan({ cluster, addresses, bin, cgroup: `/${cgroup.path}` });
}

/**
 * Brings one cluster up, or mends what has died in it: returns when its node is Ready and its DNS
 * answers.
 *
 * @param report told the name of each part that is ready
 */
export async function ensureCluster(
  node: Node,
  toolchain: { readonly bin: string; readonly images: readonly ImageArchive[] },
  report: (part: string) => void,
): Promise<void> {
  await node.ensure();
  await ensureCertificates(node.cluster, node.addresses);
  const components = componentsOf(node, toolchain.bin);
  await node.makeCgroups(components);
  await runSteps(
    [
      ...componentSteps(components, node),
      {
        name: "images",
        after: ["containerd"],
        run: () => importImages(node, toolchain.images),
      },
      { name: "system objects", after: ["kube-apiserver"], run: () => applySystem(node) },
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
    ],
    report,
  );
}

/** The cluster's kubeconfig with the rights of its administrator. */
export async function adminKubeconfig(node: Pick<Node, "cluster">): Promise<Kubeconfig> {
  return load(await readFile(adminFile(node), "utf8")) as Kubeconfig;
}

/** Whether the node's kubelet says that it is ready. */
export async function isNodeReady(
  node: Pick<Node, "cluster">,
  since = new Date(0),
): Promise<boolean> {
  const api = clientConfig(node).makeApiClient(CoreV1Api);
  const found = await api.readNode({ name: node.cluster.nodeName });
  const ready = found.status?.conditions?.find((condition) => condition.type === "Ready");
  return ready?.status === "True" && (ready.lastHeartbeatTime ?? new Date(0)) >= since;
}

/** The addresses that Services of the cluster have to the outside. */
export async function loadBalancerAddresses(
  node: Pick<Node, "cluster">,
): Promise<{ service: string; address: string }[]> {
  const { items } = await clientConfig(node).makeApiClient(CoreV1Api).listServiceForAllNamespaces();
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
    `node ${node.cluster.nodeName} to be Ready`,
    async () => {
      if (!(await isNodeReady(node, since))) throw new Error("its kubelet does not say so yet");
    },
    { timeoutMs: node.readyTimeoutMs, signal },
  );
}

async function applySystem(node: Node): Promise<void> {
  const text = await readFile(path.join(import.meta.dirname, "system.yaml"), "utf8");
  const manifests = loadAll(text.replaceAll("DNS_ADDRESS", dnsAddress(node.cluster)));
  const api = KubernetesObjectApi.makeApiClient(clientConfig(node));
  for (const manifest of manifests as KubernetesObject[]) {
    try {
      await api.patch(manifest, undefined, undefined, "lab", true, PatchStrategy.ServerSideApply);
    } catch (error) {
      throw new Error(
        `Cannot apply ${manifest.kind ?? ""} ${manifest.metadata?.name ?? ""} to ${node.cluster.name}: ` +
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
    `DNS of ${node.cluster.name} to answer`,
    async () => {
      const answer = await node.run(process.execPath, probe, dnsAddress(node.cluster), name);
      if (answer !== expected) throw new Error(`it says ${name} is ${answer}, not ${expected}`);
    },
    { timeoutMs: node.readyTimeoutMs, everyMs: 300, signal },
  );
}

function clientConfig(node: Pick<Node, "cluster">): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(adminFile(node));
  return config;
}

function adminFile(node: Pick<Node, "cluster">): string {
  return path.join(pkiDir(node.cluster), "admin.kubeconfig");
}
