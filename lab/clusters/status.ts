import type { LabSettings } from "../settings.ts";
import { textTable } from "../../lib/table.ts";
import { componentsOf, isNodeReady, loadBalancerAddresses } from "./cluster.ts";
import { findProcess, logFile, logTail } from "./component-process.ts";
import { knownNodes } from "./lab.ts";
import { labCgroup, type Node } from "./node.ts";
import type { Component } from "./plan.ts";
import { apiServer } from "./certificates.ts";

/** State of one component of a node. */
interface ComponentStatus {
  readonly name: string;
  /** Undefined if it is dead. */
  readonly startedAt: Date | undefined;
  /** Why it is dead, as far as its log tells. */
  readonly lastWords: string;
}

/**
 * Describes every component of every cluster, as text for a person.
 *
 * @returns the text, and whether everything is as it should be
 */
export async function labStatus(settings: LabSettings): Promise<{ text: string; ok: boolean }> {
  const nodes = await knownNodes(settings);
  if (!nodes) return { text: "The lab is down. Start it with: make lab-up", ok: false };
  const parts = await Promise.all(nodes.map((node) => nodeStatus(node)));
  const memory = await labCgroup(settings).memory();
  return {
    text: [
      ...parts.map((part) => part.text),
      `Memory of the whole lab: ${(memory / 2 ** 30).toFixed(2)} GiB, caches of files left out`,
    ].join("\n\n"),
    ok: parts.every((part) => part.ok),
  };
}

async function nodeStatus(node: Node): Promise<{ text: string; ok: boolean }> {
  await node.find();
  const planned = componentsOf(node, "");
  const components = await Promise.all(
    planned.map(async (component): Promise<ComponentStatus> => {
      const running = await findProcess(component, node);
      return {
        name: component.name,
        startedAt: running?.startedAt,
        lastWords: running ? "" : await logTail(component.name, node),
      };
    }),
  );
  const ready = await nodeState(node, planned);
  const table = textTable([node.cluster.name, "state", "since"]);
  for (const { name, startedAt } of components) {
    table.push([name, startedAt ? "running" : "DEAD", startedAt?.toISOString() ?? ""]);
  }
  const dead = components.filter((component) => !component.startedAt);
  return {
    text: [
      table.toString(),
      `Node ${node.cluster.nodeName}: ${ready.text}. API server: ${apiServer(node.addresses)}`,
      ...ready.loadBalancers.map(({ service, address }) => `Load balancer ${service}: ${address}`),
      ...dead.map(
        ({ name, lastWords }) =>
          `${name} of ${node.cluster.name} is dead; make lab-up starts it again. ` +
          `End of ${logFile(name, node)}:\n${lastWords}`,
      ),
    ].join("\n"),
    ok: dead.length === 0 && ready.ok,
  };
}

async function nodeState(node: Node, components: readonly Component[]) {
  try {
    // Asked first, because it answers at once when its etcd is dead, unlike every other request.
    const server = components.find(({ name }) => name === "kube-apiserver");
    if (server) await node.probe(server);
    const ok = await isNodeReady(node);
    const loadBalancers = await loadBalancerAddresses(node);
    return { ok, text: ok ? "Ready" : "not Ready", loadBalancers };
  } catch (error) {
    // A dead API server is part of what is reported here.
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, text: `unknown (${reason})`, loadBalancers: [] };
  }
}
