import { isDeepStrictEqual } from "node:util";
import { createInterface } from "node:readline/promises";
import { exclusionFlags } from "../../lib/away.ts";
import { allOf } from "../../lib/enumerate.ts";
import { forgetCluster } from "../forget/state.ts";
import { ReleaseStack } from "../stack.ts";

export interface ForgetClusterOptions {
  readonly stack: string;
  /** Does not ask. @default false */
  readonly yes?: boolean;
  /** Changes nothing. @default false */
  readonly dryRun?: boolean;
}

/** Why a cluster is not forgotten; undefined if it may be. */
function refusalOf({ away, clusterNames }: ReleaseStack, cluster: string): string | undefined {
  if (!away.includes(cluster)) {
    return clusterNames?.includes(cluster) === false
      ? `The config has no cluster ${cluster}: nothing was changed.`
      : `${cluster} is not away: all that is there would stay and nobody would manage it. If it answers, take it out of clusters and run pulumi up, which deletes what is there. If it is gone: pulumi config set --path 'away[${away.length}]' ${cluster}, then run this command again.`;
  }
  const left = clusterNames?.filter((name) => name !== cluster) ?? [];
  return left.length === 1
    ? `Only ${allOf(left)} would be left, and a mesh has at least two clusters: add the successor of ${cluster} to clusters and run pulumi up, with the flags that it names. Then run this command again; nothing was changed.`
    : undefined;
}

/** Asks for the cluster's name on the terminal. */
async function isConfirmed(cluster: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new Error("There is no terminal to ask: pass --yes. Nothing was changed.");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`Type ${cluster} to go on: `)).trim() === cluster;
  } finally {
    terminal.close();
  }
}

/**
 * Forgets a cluster that is gone for good: takes what is there out of the stack's state, and the cluster out of its
 * config. Nothing in any cluster is changed; the next update deletes what the others have for it. Run again, it
 * completes what was interrupted.
 *
 * @throws if it may not be forgotten, or another update is running; nothing is changed then
 */
export async function forget(
  cluster: string,
  { stack: name, yes = false, dryRun = false }: ForgetClusterOptions,
): Promise<void> {
  const stack = await ReleaseStack.open(name);
  const refusal = refusalOf(stack, cluster);
  if (refusal !== undefined) throw new Error(refusal);
  const state = await stack.exportState();
  const { count, about, rest } = forgetCluster(state, cluster);
  console.log(
    [
      `Forgets ${cluster} in stack ${name}:`,
      ` - ${count} ${count === 1 ? "resource of Pulumi's state is" : "resources of Pulumi's state are"} forgotten. Nothing is deleted there: should the cluster come back, all of it still runs`,
      ` - ${cluster} leaves the config`,
      ` - the next pulumi up deletes in the other clusters what they have for it: ${about.length} ${about.length === 1 ? "resource" : "resources"}`,
    ].join("\n"),
  );
  if (dryRun) return;
  if (!yes && !(await isConfirmed(cluster))) throw new Error("Nothing was changed.");
  if (!isDeepStrictEqual(await stack.exportState(), state)) {
    throw new Error(
      "Another update has changed the stack meanwhile: run this command again. Nothing was changed.",
    );
  }
  await stack.importState(rest);
  await stack.removeCluster(cluster);
  const flags = exclusionFlags(stack.away.filter((each) => each !== cluster));
  const update = `pulumi up --stack ${name}${flags === "" ? "" : ` ${flags}`}`;
  console.log(
    stack.clusterNames === undefined
      ? `${cluster} is forgotten. Once the stack of its mesh has forgotten it too: ${update}`
      : `${cluster} is forgotten. Now: ${update}`,
  );
}
