import path from "node:path";

import { componentsOf, type Cluster } from "../../lab/clusters/cluster.ts";
import { findProcess } from "../../lab/clusters/component-process.ts";
import { knownClusters } from "../../lab/clusters/lab.ts";
import { processInfos } from "../../lab/clusters/proc.ts";
import { labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";

const settings = labSettings();

/** The cluster, and its nodes looked up. */
export async function runningCluster(name: string): Promise<Cluster> {
  const clusters = (await knownClusters(settings)) ?? [];
  const cluster = clusters.find((candidate) => candidate.settings.name === name);
  if (!cluster) throw new Error(`there is no cluster ${name}`);
  for (const node of cluster.nodes) await node.find();
  return cluster;
}

/** Sends a signal to the process of a component, such as kube-apiserver, of one cluster's first node. */
export async function signal(
  cluster: string,
  name: string,
  signal: "SIGKILL" | "SIGSTOP" | "SIGCONT",
): Promise<void> {
  const { controlPlane: node } = await runningCluster(cluster);
  const component = componentsOf(node, labPaths(settings).bin).find((entry) => entry.name === name);
  const running = component && (await findProcess(component, node));
  if (!running) throw new Error(`${name} of ${cluster} is not running`);
  process.kill(running.pid, signal);
  if (signal !== "SIGKILL") return;
  await until(
    `${name} to be dead`,
    async () => {
      if ((await findProcess(component, node))?.pid === running.pid) throw new Error("it runs");
    },
    { timeoutMs: 10_000 },
  );
}

/**
 * Sends a signal to a program that runs in a pod, such as envoy or pilot-discovery.
 *
 * @param pod the pod's name, or how it begins
 */
export async function signalInPod(
  cluster: string,
  pod: string,
  program: string,
  signal: "SIGSTOP" | "SIGCONT",
): Promise<void> {
  const { nodes } = await runningCluster(cluster);
  const pids = await Promise.all(nodes.map((node) => node.cgroup.processes()));
  const infos = await processInfos(pids.flat());
  const found = infos.filter(
    ({ argv, env }) =>
      path.basename(argv[0] ?? "") === program && env.get("POD_NAME")?.startsWith(pod),
  );
  if (found.length === 0) throw new Error(`no ${program} runs in ${pod} of ${cluster}`);
  for (const { pid } of found) process.kill(pid, signal);
}
