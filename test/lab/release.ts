import { ExecaError } from "execa";
import { expect } from "vitest";

import { runChecks } from "../../fleet/checks/index.ts";
import type { MeshCluster } from "../../fleet/cluster.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import type { Timed } from "../../lab/pulumi.ts";
import { until } from "../../lib/until.ts";
import { labClusters, labPulumi } from "./lab.ts";

const pulumi = labPulumi();

/** The lab's clusters; faults befall the second one. */
export const clusters = labClusters();
export const [first, second] = clusters as [MeshCluster, MeshCluster];

/** The service that the lab releases, as API servers know it. */
export const service = { service: userService.name, namespace: userService.namespace };

/** The command's output, and the proof that it has failed. */
export async function failure(command: Promise<Timed<unknown>>): Promise<string> {
  try {
    await command;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    expect(error.exitCode).toBeGreaterThan(0);
    return `${String(error.stdout)}\n${String(error.stderr)}`;
  }
  throw new Error("the command has succeeded");
}

/** How a cluster routes the service, as its API server has it. */
export async function route(cluster: MeshCluster) {
  const found = await readRoute(cluster, service);
  if (!found) throw new Error(`${cluster.name} has no VirtualService of the service`);
  return found;
}

/** Weight and generation in each API server: what has not been written to keeps both. */
export async function deployed(of: readonly MeshCluster[] = clusters) {
  return Promise.all(
    of.map(async (cluster) => {
      const { weight, generation } = await route(cluster);
      return { cluster: cluster.name, weight, generation };
    }),
  );
}

/** `pulumi config set weight`, and `pulumi up`. */
export async function change(weight: number): Promise<Timed<string>> {
  await pulumi.setWeight(weight);
  return pulumi.up(`lab test: ${weight} %`);
}

/** Sees to it that the weight is the given one, with no update where it is so already. */
export async function beginAt(weight: number): Promise<void> {
  const configured = await pulumi.weight();
  const weights = [configured, ...(await deployed()).map((each) => each.weight)];
  if (weights.some((each) => each !== weight)) await change(weight);
}

/** Waits until API servers and Envoys of all clusters have the weight. */
export async function expectEverywhere(weight: number): Promise<void> {
  const weights = await confirmWeights(clusters, weight);
  expect(weights.map(({ apiServer }) => apiServer)).toEqual(clusters.map(() => weight));
}

/**
 * Waits until the clusters themselves are well: a node whose API server was away for long is not ready
 * for a while, and its pods with it, so that no weight may rise yet.
 */
async function untilWell(): Promise<void> {
  const { name, namespace, host, ingressHost, canary } = userService;
  const target = { service: name, namespace, canary, host, hosts: [host, ingressHost] };
  await until(
    "the clusters to be well",
    async () => {
      const found = await Promise.all(
        clusters.map((cluster) =>
          runChecks({
            cluster,
            clusters,
            rises: [],
            canaries: [{ ...target, replicas: 5 }],
            limits: {
              checkWithinMs: 0,
              confirmWithinMs: 30_000,
              certificateDays: 1,
              clockSkewMs: 30_000,
            },
          }),
        ),
      );
      const lines = found.flat().map(({ line }) => line);
      if (lines.length > 0) throw new Error(lines.join("\n"));
    },
    { timeoutMs: 180_000, everyMs: 1_000 },
  );
}

/** `pulumi up` after the fault is gone: all clusters serve the weight, and nothing is left to do. */
export async function expectMended(weight: number): Promise<void> {
  await untilWell();
  await change(weight);
  await expectEverywhere(weight);
  expect((await pulumi.preview()).value).toEqual([]);
}
