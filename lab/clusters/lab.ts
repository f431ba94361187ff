import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { labPaths } from "../environment.ts";
import type { LabSettings } from "../settings.ts";
import { clusterAddresses } from "./addresses.ts";
import { adminKubeconfig, type Cluster } from "./cluster.ts";
import {
  bridgeName,
  ensureBridge,
  knownNodeCidr,
  labLinks,
  removeHostNetwork,
} from "./host-network.ts";
import { ensureInotifyInstances } from "./inotify.ts";
import { mergeKubeconfigs, stringifyKubeconfig } from "./kubeconfig.ts";
import { withLock } from "./lock.ts";
import { checkLocations, labCgroup, Node } from "./node.ts";

/** Throws, saying what to do, on a machine that the lab cannot run on. */
export function checkMachine(): void {
  const wrong = [
    ...(process.platform === "linux" ? [] : [`it needs Linux, this is ${process.platform}`]),
    ...(process.arch === "x64" ? [] : [`it needs an x86-64 processor, this is ${process.arch}`]),
    ...(process.getuid?.() === 0 ? [] : ["it needs root, for network namespaces and cgroups"]),
  ];
  if (wrong.length === 0) return;
  throw new Error(
    `The lab cannot run here:\n${wrong.map((reason) => ` - ${reason}`).join("\n")}\n` +
      'With clusters of your own you need no lab: see "Your own clusters" in README.md.',
  );
}

/** Runs `work` while no other command changes this checkout's lab. */
export async function withLabLock<T>(
  settings: LabSettings,
  work: () => Promise<T>,
  onWait?: (message: string) => void,
): Promise<T> {
  return withLock(
    `istio-canary-lab-${settings.id}`,
    "another lab command in this checkout",
    work,
    onWait,
  );
}

/**
 * Prepares the machine and gives the lab's clusters, none of their nodes started.
 *
 * @param report told what was changed on the machine for good
 */
export async function prepareClusters(
  settings: LabSettings,
  report: (change: string) => void,
): Promise<Cluster[]> {
  checkMachine();
  checkLocations(settings);
  await checkNames(settings);
  const raised = await ensureInotifyInstances();
  if (raised) report(raised);
  const nodeCidr = await ensureBridge(settings);
  return clusters(settings, nodeCidr);
}

/** Throws if a node of the lab is not in the settings any more: its addresses would be another's. */
async function checkNames(settings: LabSettings): Promise<void> {
  const dir = clustersDir(settings);
  await mkdir(dir, { recursive: true });
  const names = settings.clusters.flatMap(({ nodes }) =>
    nodes.map((node) => path.basename(node.dir)),
  );
  const other = (await readdir(dir)).filter((name) => !names.includes(name));
  if (other.length === 0) return;
  throw new Error(
    `The lab has ${other.join(", ")}, for which the settings have no node: set LAB_CLUSTERS and LAB_NODES ` +
      "as they were, or take the lab down first (make lab-down)",
  );
}

/** The lab's clusters, or undefined if the lab has never been up. */
export async function knownClusters(settings: LabSettings): Promise<Cluster[] | undefined> {
  const nodeCidr = await knownNodeCidr(settings);
  return nodeCidr === undefined ? undefined : clusters(settings, nodeCidr);
}

/** Throws, saying what to do, if the clusters' nodes cannot reach each other. */
export async function checkBridge(
  settings: LabSettings,
  clusters: readonly Cluster[],
): Promise<void> {
  const bridge = bridgeName(settings);
  for (const [index, { controlPlane: node }] of clusters.entries()) {
    const other = clusters[index + 1];
    if (!other) continue;
    const connect = `exec 3<>/dev/tcp/${other.addresses.controlPlane}/6443`;
    try {
      await node.run("timeout", "5", "bash", "-c", connect);
    } catch (error) {
      throw new Error(
        `The node of ${node.cluster.name} cannot reach that of ${other.settings.name}: a firewall of this machine ` +
          `filters what passes over bridge ${bridge}. Allow it, for example with: ` +
          `iptables -I FORWARD -i ${bridge} -o ${bridge} -j ACCEPT`,
        { cause: error },
      );
    }
  }
}

/**
 * Cuts the clusters off from each other, or joins them again. What one sends to the other is lost; the
 * host reaches all of them as before, and a cluster's nodes each other.
 */
export async function setClustersApart(settings: LabSettings, apart: boolean): Promise<void> {
  const all = (await knownClusters(settings)) ?? [];
  for (const cluster of all) {
    const others = all
      .filter((other) => other !== cluster)
      .flatMap(({ addresses }) => [
        ...addresses.nodes.map((node) => node.address),
        ...addresses.loadBalancers,
      ]);
    const script = apart
      ? others.map((address) => `ip route replace blackhole ${address}`).join("\n")
      : "ip route flush type blackhole";
    for (const node of cluster.nodes) {
      await node.find();
      await node.run("sh", "-euc", script);
    }
  }
}

/** Writes the kubeconfig with a context for each cluster. */
export async function writeKubeconfig(settings: LabSettings): Promise<void> {
  const configs = await Promise.all(settings.clusters.map((cluster) => adminKubeconfig(cluster)));
  const file = labPaths(settings).kubeconfig;
  const made = `${file}.new`;
  await rm(made, { force: true });
  await writeFile(made, stringifyKubeconfig(mergeKubeconfigs(configs)), { mode: 0o600 });
  await rename(made, file);
}

/**
 * Takes the clusters down, whatever is left of them: every process, and with them namespaces, mounts
 * and network; then bridge, cgroups and files.
 */
export async function removeClusters(settings: LabSettings): Promise<void> {
  checkMachine();
  const cgroup = labCgroup(settings);
  await cgroup.kill();
  await removeHostNetwork(settings);
  await cgroup.remove();
  const { kubeconfig, nodeCidr } = labPaths(settings);
  for (const place of [clustersDir(settings), kubeconfig, nodeCidr]) {
    await rm(place, { recursive: true, force: true });
  }
  const left = await remains(settings);
  if (left.length > 0)
    throw new Error(`These parts of the lab could not be removed: ${left.join(", ")}`);
}

async function remains(settings: LabSettings): Promise<string[]> {
  const cgroup = labCgroup(settings);
  return [
    ...(await labLinks(settings)).map((link) => `network link ${link}`),
    ...(cgroup.exists() ? [`cgroup ${cgroup.path}`] : []),
    ...(await cgroup.processes()).map((pid) => `process ${pid}`),
    ...(existsSync(clustersDir(settings)) ? ["files of the clusters"] : []),
  ];
}

function clusters(settings: LabSettings, nodeCidr: string): Cluster[] {
  return settings.clusters.map((cluster) => {
    const addresses = clusterAddresses(nodeCidr, cluster);
    const nodes = addresses.nodes.map((own) => new Node(settings, cluster, addresses, own));
    const controlPlane = nodes.find(({ own }) => own.controlPlane);
    if (!controlPlane) throw new Error(`${cluster.name} has no node for its control plane`);
    return { settings: cluster, addresses, nodes, controlPlane };
  });
}

function clustersDir(settings: LabSettings): string {
  return path.join(settings.dir, "clusters");
}
