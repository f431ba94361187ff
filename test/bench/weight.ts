import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

import { Command } from "commander";
import { z } from "zod";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { routesEverywhere } from "../../fleet/routing/routes-everywhere.ts";
import { labEnvironment, labStack } from "../../lab/environment.ts";
import { labVersions } from "../../lab/mesh/service.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import type { PulumiCli } from "../../lab/pulumi.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackFile, stackKey } from "../../lab/stack-file.ts";
import { labUp } from "../../lab/up.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import { onInterrupt } from "../../release/on-interrupt.ts";
import { labClusters, labPulumi } from "../lab/lab.ts";
import { positive } from "./positive.ts";
import { figuresOf, markRows, type Change, type Round, type Switch } from "./weight/figures.ts";
import {
  changeWeight,
  makeEmptyProgram,
  patchWeight,
  rolloutRaise,
  timedUp,
  type Target,
} from "./weight/measure.ts";
import { figuresTable, marksTable } from "./weight/tables.ts";

/** The weight that every raise leads to, from 0. */
const WEIGHT = 10;
const BENCH_STACK = "lab-bench";
const benchService: ServiceName = { service: "bench-service", namespace: "bench" };

interface Options {
  readonly rounds: number;
  readonly rollout: boolean;
}

const settings = labSettings();

/** What is measured, and where. */
interface Subjects {
  readonly clusters: readonly ClusterClient[];
  readonly mesh: Target;
  readonly release: Target;
  readonly empty: PulumiCli;
}

/** Takes a stack to the weight that it had, phase by phase, as its rules ask for. */
async function backTo(pulumi: PulumiCli, weight: number): Promise<void> {
  const phases = z.array(z.number()).parse(await stackKey(stackFile(settings, labStack), "phases"));
  const steps = [0, ...phases.filter((phase) => phase < weight), weight];
  for (const step of new Set(steps)) {
    await pulumi.setWeight(step);
    await pulumi.up(`bench:weight: back to ${step} %`);
  }
}

/** Makes the stack of one small service that runs in the mesh of the lab's stack, and installs it. */
async function installReleaseStack(): Promise<Target> {
  const { service, namespace } = benchService;
  const pulumi = await makeReleaseStack(settings, BENCH_STACK, {
    services: [serviceConfig({ name: service, namespace }, 1)],
    phases: [WEIGHT, 100],
    weight: 0,
  });
  await pulumi.up("bench:weight: installation");
  const { canary } = labVersions;
  return { ...benchService, pulumi, hosts: [serviceHost(benchService, "cluster.local")], canary };
}

async function removeReleaseStack(): Promise<void> {
  const pulumi = labPulumi(BENCH_STACK);
  if (!(await pulumi.exists())) return;
  await pulumi.destroy();
  await pulumi.remove();
}

function shown(measured: Partial<Change>): string {
  const { inForce, ends, skew } = measured;
  return [
    inForce === undefined ? [] : `in force after ${inForce.toFixed(2)} s`,
    ends === undefined ? [] : `ended after ${ends.toFixed(2)} s`,
    skew === undefined ? [] : `clusters ${(1000 * skew).toFixed(0)} ms apart`,
  ]
    .flat()
    .join(", ");
}

/** Measures all commands once, one after the other. */
async function measureRound(
  { clusters, mesh, release, empty }: Subjects,
  rollout: boolean,
  stop: AbortSignal,
): Promise<Round> {
  const env = labEnvironment(settings);
  const measure = async <T extends Partial<Change>>(
    what: string,
    of: () => Promise<T>,
  ): Promise<T> => {
    stop.throwIfAborted();
    const measured = await of();
    console.log(`  ${what}: ${shown(measured)}`);
    return measured;
  };
  const both = async <T extends Switch>(what: string, to: (weight: number) => Promise<T>) => ({
    raise: await measure(`${what}, 0 → ${WEIGHT}`, () => to(WEIGHT)),
    lower: await measure(`${what}, ${WEIGHT} → 0`, () => to(0)),
  });
  return {
    // First: the raise of pulumi up that comes next takes the fields back from kubectl.
    floor: await both("kubectl patch", (weight) => patchWeight(clusters, mesh, weight, env)),
    mesh: await both("mesh's stack", (weight) => changeWeight(clusters, mesh, weight)),
    release: await both("release stack", (weight) => changeWeight(clusters, release, weight)),
    empty: await measure("empty program", () => timedUp(empty, "bench:weight: nothing")),
    ...(rollout && {
      rollout: await measure("release rollout", async () => {
        const raised = await rolloutRaise(clusters, mesh, labStack, WEIGHT, settings, env);
        await changeWeight(clusters, mesh, 0);
        return raised;
      }),
    }),
  };
}

/** What the measurement was made on. */
async function surroundings({ clusters, mesh, release }: Subjects) {
  const sizeOf = async ({ pulumi, hosts }: Target) => ({
    resources: (await pulumi.urns()).length,
    envoys: (await routesEverywhere(clusters, hosts)).length,
  });
  return {
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    clusters: clusters.length,
    mesh: await sizeOf(mesh),
    release: await sizeOf(release),
  };
}

/** Measures the rounds, prints the figures, and writes all values into the lab's folder. */
async function measureAll(
  subjects: Subjects,
  { rounds: count, rollout }: Options,
  stop: AbortSignal,
): Promise<void> {
  const startedAt = new Date().toISOString();
  // Processes that ran or waited to, in the last minute.
  const [loadBefore = 0] = os.loadavg();
  const rounds: Round[] = [];
  for (let i = 1; i <= count; i++) {
    console.log(`round ${i} of ${count}`);
    rounds.push(await measureRound(subjects, rollout, stop));
  }
  const on = await surroundings(subjects);
  const figures = figuresOf(rounds, WEIGHT);
  const marks = markRows(rounds, WEIGHT);
  const file = path.join(settings.dir, "bench-weight.json");
  const facts = { startedAt, ...on, loadBefore, figures, marks, rounds };
  await writeFile(file, `${JSON.stringify(facts, undefined, 2)}\n`);
  console.log(
    [
      `\n${count} rounds on ${on.cores} cores and ${on.memoryGiB} GiB, load ${loadBefore.toFixed(1)} before; ${on.clusters} clusters`,
      `mesh's stack: ${on.mesh.resources} resources, ${on.mesh.envoys} Envoys`,
      `release stack: ${on.release.resources} resources, ${on.release.envoys} Envoys`,
      figuresTable(figures),
      marksTable(marks),
      `all values: ${path.relative(settings.root, file)}`,
    ].join("\n"),
  );
}

function sayError(error: unknown): void {
  console.error(`bench:weight: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

/** Installs what is measured, measures it, and leaves the lab at the weight it had. */
async function run(options: Options): Promise<void> {
  const stop = new AbortController();
  const leave = onInterrupt(() => {
    console.error("interrupted: the lab is being cleaned up; interrupt again to stop immediately");
    stop.abort(new Error("interrupted"));
  });
  const pulumi = labPulumi();
  const found = await pulumi.weight();
  const tidyUp = [() => backTo(pulumi, found)];
  try {
    console.log(`installing; the lab's weight is ${found}`);
    await backTo(pulumi, 0);
    stop.signal.throwIfAborted();
    tidyUp.unshift(removeReleaseStack);
    const release = await installReleaseStack();
    stop.signal.throwIfAborted();
    const empty = await makeEmptyProgram(settings);
    tidyUp.unshift(empty.remove);
    await empty.pulumi.up("bench:weight: installation");
    const mesh: Target = {
      ...{ service: userService.name, namespace: userService.namespace, pulumi },
      hosts: [userService.host, userService.ingressHost],
      canary: userService.canary,
    };
    await measureAll(
      { clusters: labClusters(), mesh, release, empty: empty.pulumi },
      options,
      stop.signal,
    );
  } catch (error) {
    // Said before tidying up, which may take long and fail too.
    sayError(error);
  } finally {
    console.log(`tidying up; the lab's weight is to be ${found}`);
    for (const step of tidyUp) {
      await step().catch((error: unknown) => {
        console.error(`not tidied up: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
      });
    }
    leave();
  }
}

const program = new Command("bench:weight")
  .description(
    "how long a weight takes to come into force in every Envoy, compared with the minimum",
  )
  .option("--rounds <number>", "how often everything is measured", positive, 5)
  .option("--rollout", "the first raise of release rollout, too", false)
  .action(async (options: Options) => {
    await labUp(settings);
    await run(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  sayError(error);
}
