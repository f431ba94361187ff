import type { LabSettings } from "../settings.ts";
import { textTable } from "../../lib/table.ts";
import { componentsOf, isNodeReady, loadBalancerAddresses, type Cluster } from "./cluster.ts";
import { findProcess, logFile, logTail } from "./component-process.ts";
import { knownClusters } from "./lab.ts";
import { labCgroup, type Node } from "./node.ts";
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
  const clusters = await knownClusters(settings);
  if (!clusters) return { text: "The lab is down. Start it with: make lab-up", ok: false };
  const parts = await Promise.all(clusters.map((cluster) => clusterStatus(cluster)));
  const memory = await labCgroup(settings).memory();
  return {
    text: [
      ...parts.map((part) => part.text),
      `Memory of the whole lab: ${(memory / 2 ** 30).toFixed(2)} GiB, caches of files left out`,
    ].join("\n\n"),
    ok: parts.every((part) => part.ok),
  };
}

async function clusterStatus(cluster: Cluster): Promise<{ text: string; ok: boolean }> {
  for (const node of cluster.nodes) await node.find();
  const state = await apiState(cluster);
  const parts = await Promise.all(
    cluster.nodes.map(async (node) => ({ node, components: await componentStatuses(node) })),
  );
  const dead = parts.flatMap(({ node, components }) =>
    components.flatMap(({ name, startedAt, lastWords }) =>
      startedAt ? [] : [{ node, name, lastWords }],
    ),
  );
  return {
    text: [
      ...parts.flatMap(({ node, components }) => [
        componentTable(node, components),
        `Node ${node.own.name}: ${state.nodes.get(node)?.text ?? ""}. API server: ${apiServer(cluster.addresses)}`,
      ]),
      ...state.loadBalancers.map(({ service, address }) => `Load balancer ${service}: ${address}`),
      ...dead.map(
        ({ node, name, lastWords }) =>
          `${name} of ${node.id} is dead; make lab-up starts it again. ` +
          `End of ${logFile(name, node)}:\n${lastWords}`,
      ),
    ].join("\n"),
    ok: dead.length === 0 && [...state.nodes.values()].every(({ ok }) => ok),
  };
}

async function componentStatuses(node: Node): Promise<ComponentStatus[]> {
  return Promise.all(
    componentsOf(node, "").map(async (component) => {
      const running = await findProcess(component, node);
      return {
        name: component.name,
        startedAt: running?.startedAt,
        lastWords: running ? "" : await logTail(component.name, node),
      };
    }),
  );
}

function componentTable(node: Node, components: readonly ComponentStatus[]): string {
  const table = textTable([node.id, "state", "since"]);
  for (const { name, startedAt } of components) {
    table.push([name, startedAt ? "running" : "DEAD", startedAt?.toISOString() ?? ""]);
  }
  return table.toString();
}

/** What the cluster's API server says about its nodes and load balancers. */
async function apiState({ settings, nodes, controlPlane }: Cluster) {
  const ofAll = (state: { ok: boolean; text: string }) =>
    new Map(nodes.map((node) => [node, state]));
  try {
    // Asked first, because it answers at once when its etcd is dead, unlike every other request.
    const server = componentsOf(controlPlane, "").find(({ name }) => name === "kube-apiserver");
    if (server) await controlPlane.probe(server);
    const states = await Promise.all(
      nodes.map(async (node) => {
        const ok = await isNodeReady(node);
        return [node, { ok, text: ok ? "Ready" : "not Ready" }] as const;
      }),
    );
    return { nodes: new Map(states), loadBalancers: await loadBalancerAddresses(settings) };
  } catch (error) {
    // A dead API server is part of what is reported here.
    const reason = error instanceof Error ? error.message : String(error);
    return { nodes: ofAll({ ok: false, text: `unknown (${reason})` }), loadBalancers: [] };
  }
}
