import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { execa } from "execa";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmWeight } from "../../../fleet/confirm.ts";
import { readRoute } from "../../../fleet/read-deployed.ts";
import { labEnvironment } from "../../../lab/environment.ts";
import { PulumiCli } from "../../../lab/pulumi.ts";
import type { LabSettings } from "../../../lab/settings.ts";
import { withWeight } from "../../../lib/routing/istio/split.ts";
import type { ServiceName } from "../../../lib/names.ts";
import { timedEvent } from "../../../release/rollout-event.ts";
import type { Change, Switch } from "./figures.ts";
import { marksOf, type UpdateEvent } from "./marks.ts";

/** Longest wait for the Envoys, after the command has ended, in milliseconds. */
const SWITCH_TIMEOUT_MS = 30_000;

/** A service whose weight is changed, and the stack that has it. */
export interface Target extends ServiceName {
  readonly pulumi: PulumiCli;
  /** Names by which its route is found in an Envoy. */
  readonly hosts: readonly string[];
  readonly canary: string;
}

/**
 * Waits until every Envoy serves the weight, and says when they have switched, by their own account.
 *
 * @param started when the command was started, in milliseconds since 1970
 * @throws if an Envoy has switched before
 */
async function switchOf(
  clusters: readonly ClusterClient[],
  target: Target,
  weight: number,
  started: number,
): Promise<Switch> {
  const lasts = await Promise.all(
    clusters.map(async (cluster) => {
      const routes = await confirmWeight(cluster, { ...target, weight }, SWITCH_TIMEOUT_MS);
      const early = routes.find(({ updatedAt }) => updatedAt.getTime() < started);
      if (early || routes.length === 0) {
        throw new Error(
          `${early?.pod ?? "no Envoy"} of ${cluster.name} has not switched to ${weight} % because of this command: ` +
            "something else changes weights; stop it, then run the benchmark again",
        );
      }
      return Math.max(...routes.map(({ updatedAt }) => updatedAt.getTime()));
    }),
  );
  return {
    inForce: (Math.max(...lasts) - started) / 1000,
    skew: (Math.max(...lasts) - Math.min(...lasts)) / 1000,
  };
}

/** `pulumi up`, and when its steps happened. */
export async function timedUp(
  pulumi: PulumiCli,
  message: string,
): Promise<Pick<Change, "ends" | "marks">> {
  const events: UpdateEvent[] = [];
  const started = performance.now();
  const { seconds } = await pulumi.upWithEvents(message, (event) => {
    events.push({ seconds: (performance.now() - started) / 1000, event });
  });
  return { ends: seconds, marks: { ...marksOf(events), ends: seconds } };
}

/** Sets the weight in the config, and measures `pulumi up`. */
export async function changeWeight(
  clusters: readonly ClusterClient[],
  target: Target,
  weight: number,
): Promise<Change> {
  await target.pulumi.setWeight(weight);
  const started = Date.now();
  const { ends, marks } = await timedUp(target.pulumi, `bench:weight: ${weight} %`);
  const served = await switchOf(clusters, target, weight, started);
  return { ...served, ends, marks: { ...marks, inForce: served.inForce } };
}

/** Measures `kubectl patch` of the VirtualServices of all clusters at once. */
export async function patchWeight(
  clusters: readonly ClusterClient[],
  target: Target,
  weight: number,
  env: Readonly<Record<string, string>>,
): Promise<Switch> {
  const commands = await Promise.all(
    clusters.map(async (cluster) => {
      const route = await readRoute(cluster, target);
      if (!route) throw new Error(`${cluster.name} has no VirtualService of ${target.service}`);
      const patch = { spec: { http: withWeight(route.rules, target.canary, weight) } };
      return [
        ...["patch", "virtualservice", target.service, "--type", "merge"],
        ...["--patch", JSON.stringify(patch)],
        ...["--context", cluster.kubeConfig.getCurrentContext(), "--namespace", target.namespace],
      ];
    }),
  );
  const started = Date.now();
  await Promise.all(commands.map(async (args) => execa("kubectl", args, { env })));
  return switchOf(clusters, target, weight, started);
}

/**
 * Measures the first raise of `release rollout`, and interrupts it then: the weight stays.
 *
 * @throws if it does not raise the weight
 */
export async function rolloutRaise(
  clusters: readonly ClusterClient[],
  target: Target,
  stack: string,
  weight: number,
  { root }: LabSettings,
  env: Readonly<Record<string, string>>,
): Promise<Change> {
  const started = Date.now();
  const command = execa(
    "node",
    ["release/cli.ts", "rollout", "--stack", stack, "--again", "--json"],
    { cwd: root, env, stdin: "ignore", reject: false },
  );
  let ends: number | undefined;
  const told: string[] = [];
  for await (const line of command) {
    told.push(line);
    const event = timedEvent.parse(JSON.parse(line));
    if (event.event !== "raised") continue;
    ends = (Date.now() - started) / 1000;
    command.kill("SIGINT");
  }
  const { stderr } = await command;
  if (ends === undefined) {
    throw new Error(`release rollout has not raised the weight:\n${[...told, stderr].join("\n")}`);
  }
  const served = await switchOf(clusters, target, weight, started);
  return { ...served, ends, marks: { inForce: served.inForce, ends } };
}

/** Makes the stack of a program that does nothing, in a project of its own in the lab's folder. */
export async function makeEmptyProgram(
  settings: LabSettings,
): Promise<{ readonly pulumi: PulumiCli; readonly remove: () => Promise<void> }> {
  const name = "bench-empty";
  const folder = path.join(settings.dir, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "index.ts"), "export {};\n");
  await writeFile(
    path.join(folder, "Pulumi.yaml"),
    `name: ${name}\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n`,
  );
  const pulumi = new PulumiCli(folder, labEnvironment(settings), name);
  if (!(await pulumi.exists())) await pulumi.create();
  return {
    pulumi,
    remove: async () => {
      await pulumi.destroy();
      await pulumi.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
