import { componentsOf } from "../../lab/clusters/cluster.ts";
import { findProcess } from "../../lab/clusters/component-process.ts";
import { knownNodes } from "../../lab/clusters/lab.ts";
import { labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";

const settings = labSettings();

/** Sends a signal to the process of a component, such as kube-apiserver, of one cluster. */
export async function signal(
  cluster: string,
  name: string,
  signal: "SIGKILL" | "SIGSTOP" | "SIGCONT",
): Promise<void> {
  const nodes = (await knownNodes(settings)) ?? [];
  const node = nodes.find((candidate) => candidate.cluster.name === cluster);
  if (!node) throw new Error(`there is no cluster ${cluster}`);
  await node.find();
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
