import { ExecaError } from "execa";
import { afterAll, beforeAll, expect } from "vitest";

import { runChecks } from "../../fleet/checks/index.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { isNotFound } from "../../fleet/explain.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { labStack } from "../../lab/environment.ts";
import { serviceName, type LabService } from "../../lab/mesh/service.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import type { Timed } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackFile } from "../../lab/stack-file.ts";
import { JOURNAL } from "../../lib/journal.ts";
import { until } from "../../lib/until.ts";
import { everyone } from "../../lib/who-counts.ts";
import { labClusters, labPulumi } from "./lab.ts";
import {
  installOwnStack,
  meshReplicas,
  ownStack,
  removeOwnStack,
  testService,
  type OwnStackOptions,
  type TestRelease,
} from "./own-stack.ts";

const settings = labSettings();

/** The lab's clusters; faults happen in the second one. */
export const clusters = labClusters();
export const [first, second] = clusters as [ClusterClient, ClusterClient];

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

/** A service of the lab and the stack that releases it, as tests deal with them. */
export type LabRelease = ReturnType<typeof releaseIn>;

/** @param replicas of each version in each cluster */
function releaseIn(stack: string, service: LabService, replicas: number) {
  const pulumi = labPulumi(stack);

  /** How a cluster routes the service, as its API server has it. */
  async function route(cluster: ClusterClient) {
    const found = await readRoute(cluster, serviceName(service));
    if (!found) throw new Error(`${cluster.name} has no VirtualService of the service`);
    return found;
  }

  /** Weight and generation in each API server: what has not been written to keeps both. */
  async function deployed(of: readonly ClusterClient[] = clusters) {
    return Promise.all(
      of.map(async (cluster) => {
        const { weight, generation } = await route(cluster);
        return { cluster: cluster.name, weight, generation };
      }),
    );
  }

  /** Waits until the weight has arrived in an API server. */
  async function arrival(cluster: ClusterClient, weight: number): Promise<void> {
    await until(
      `${cluster.name} to have ${weight} %`,
      async () => {
        const [now] = await deployed([cluster]);
        if (now?.weight !== weight) throw new Error(`it has ${now?.weight ?? 0} %`);
      },
      { timeoutMs: 60_000 },
    );
  }

  /** Forgets all that updates, rollouts and guards have noted: what has taken the canary back counts no more. */
  async function forget(): Promise<void> {
    const { namespace } = serviceName(service);
    for (const { core } of clusters) {
      await core.deleteNamespacedConfigMap({ name: JOURNAL, namespace }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  /** `pulumi config set weight`, and `pulumi up`. */
  async function change(weight: number): Promise<Timed<string>> {
    await pulumi.setWeight(weight);
    return pulumi.up(`lab test: ${weight} %`);
  }

  /** Makes sure that the weight is the given one, without an update where it is already. */
  async function beginAt(weight: number): Promise<void> {
    const configured = await pulumi.weight();
    const weights = [configured, ...(await deployed()).map((each) => each.weight)];
    if (weights.some((each) => each !== weight)) await change(weight);
  }

  /** Waits until API servers and Envoys of all clusters have the weight. */
  async function expectEverywhere(weight: number): Promise<void> {
    const weights = await confirmWeights(clusters, service, weight);
    expect(weights.map(({ apiServer }) => apiServer)).toEqual(clusters.map(() => weight));
  }

  /**
   * Waits until the clusters themselves are well: a node whose API server was away for long is not ready
   * for a while, and its pods with it, so that no weight may rise yet.
   *
   * @param drained names of the clusters that the others do not read. @default none
   */
  async function untilWell(drained: readonly string[] = []): Promise<void> {
    const { host, ingressHost, canary } = service;
    const target = { ...serviceName(service), canary, host, hosts: [host, ingressHost] };
    await until(
      "the clusters to be well",
      async () => {
        const found = await Promise.all(
          clusters.map((cluster) =>
            runChecks({
              cluster,
              clusters,
              rises: [],
              canaries: [target],
              limits: {
                checkWithinMs: 0,
                lookWithinMs: 45_000,
                confirmWithinMs: 30_000,
                askEnvoys: 100,
                who: everyone,
                certificateDays: 1,
                clockSkewMs: 30_000,
                capacity: 0.5,
                closed: drained,
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
  async function expectRecovered(weight: number): Promise<void> {
    await untilWell();
    await change(weight);
    await expectEverywhere(weight);
    expect((await pulumi.preview()).value).toEqual([]);
  }

  return {
    stack,
    service,
    /** The service as the command's output names it. */
    id: `${service.namespace}/${service.name}`,
    replicas,
    pulumi,
    /** The stack's config file. */
    file: stackFile(settings, stack),
    ...{ route, deployed, arrival, forget, change, beginAt, untilWell },
    ...{ expectEverywhere, expectRecovered },
  };
}

/** The release of the lab's own stack, which has the mesh too. */
export const meshRelease = releaseIn(labStack, userService, meshReplicas);

/** A release by its name, with what `own-stack.ts` has installed. */
function ownRelease(name: TestRelease, { replicas = 1, canary }: OwnStackOptions): LabRelease {
  const service = testService(name);
  return releaseIn(ownStack(name), { ...service, canary: canary ?? service.canary }, replicas);
}

/**
 * A release of the test file's own: a stack with one service in a namespace of its own, in the mesh of
 * the lab's stack. It is installed before the file's first test, at weight 0, and destroyed after its last.
 */
export function withOwnRelease(name: TestRelease, options: OwnStackOptions = {}): LabRelease {
  beforeAll(async () => {
    await installOwnStack(name, options);
  });
  afterAll(async () => {
    await removeOwnStack(name);
  });
  return ownRelease(name, options);
}

/** The release that the files which break a cluster share, one after the other: test/lab/setup.ts removes it. */
export function withFaultsRelease(): LabRelease {
  beforeAll(async () => {
    if (!(await labPulumi(ownStack("faults")).exists())) await installOwnStack("faults", FAULTS);
  });
  return ownRelease("faults", FAULTS);
}

/** A refusal that may heal is told soon: nothing else runs that could hold up a check. */
const FAULTS: OwnStackOptions = { config: { safety: { checkWithin: "5s" } } };
