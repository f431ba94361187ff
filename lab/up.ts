import path from "node:path";
import { Listr, PRESET_TIMER, type ListrTask } from "listr2";
import { ensureCluster, type Cluster } from "./clusters/cluster.ts";
import {
  checkBridge,
  checkMachine,
  knownClusters,
  prepareClusters,
  removeClusters,
  withLabLock,
  writeKubeconfig,
} from "./clusters/lab.ts";
import { importImages } from "./clusters/images.ts";
import type { LabSettings } from "./settings.ts";
import type { StandIn } from "./standins/install.ts";
import { browserPackages } from "./toolchain/packages.ts";
import { previousIstio } from "./toolchain/previous-istio.ts";
import type { Step } from "./toolchain/steps.ts";
import { toolchain, toolchainSteps } from "./toolchain/toolchain.ts";
import { ensureWorkspace, removeWorkspace } from "./workspace.ts";

/**
 * Installs and builds what the lab runs, once; what is cached is left as it is.
 *
 * @param browser whether to install what the tests of pages need, too
 */
export async function labBuild(settings: LabSettings, browser: boolean): Promise<void> {
  checkMachine();
  await run([buildTask(settings, browser ? [browserPackages] : [])]);
}

/**
 * Brings the whole lab up, or restarts what has died: programs, clusters, and everything that
 * lab/environment.ts points to. Shows its progress.
 */
export async function labUp(settings: LabSettings): Promise<void> {
  checkMachine();
  await withLabLock(
    settings,
    async () => {
      let clusters: Cluster[] = [];
      let standIns: readonly StandIn[] = [];
      const failures: Error[] = [];
      await run([
        buildTask(settings),
        {
          title: "machine",
          task: async (_context, task) => {
            clusters = await prepareClusters(settings, (change) => {
              task.output = change;
            });
          },
        },
        {
          title: "clusters",
          task: (_context, task) =>
            // One that fails must not leave the others half started.
            task.newListr(
              clusters.map((cluster) => clusterTask(settings, cluster, failures)),
              { concurrent: true, exitOnError: false },
            ),
        },
      ]);
      if (failures.length > 0) throw together(failures);
      await run([
        {
          title: "kubeconfig, programs and Pulumi stack",
          task: async () => {
            await checkBridge(settings, clusters);
            await writeKubeconfig(settings);
            standIns = await ensureWorkspace(settings, toolchain(settings));
          },
        },
      ]);
      for (const { program, kind, source } of standIns) {
        console.log(`${program}: ${kind}, ${path.relative(settings.root, source)}`);
      }
    },
    console.log,
  );
}

/**
 * Builds the minor version of Istio before the lab's own, once, and brings its images into the clusters, which are up.
 *
 * @returns the folder with the packaged charts of both versions
 */
export async function labPreviousIstio(settings: LabSettings): Promise<string> {
  const { charts, images, tasks } = previousIstio(settings);
  await withLabLock(
    settings,
    async () => {
      await run([
        {
          title: "previous Istio",
          task: (_context, task) => task.newListr(tasks(), { concurrent: true }),
        },
        {
          title: "its images in the clusters",
          task: async () => {
            for (const node of ((await knownClusters(settings)) ?? []).flatMap(
              ({ nodes }) => nodes,
            )) {
              await node.find();
              await importImages(node, [images]);
            }
          },
        },
      ]);
    },
    console.log,
  );
  return charts;
}

/** Takes the lab down and leaves nothing behind but the cache and the stack's config. */
export async function labDown(settings: LabSettings): Promise<void> {
  checkMachine();
  await withLabLock(
    settings,
    async () => {
      await run([
        { title: "clusters", task: () => removeClusters(settings) },
        { title: "programs and Pulumi state", task: () => removeWorkspace(settings) },
      ]);
    },
    console.log,
  );
}

function buildTask(settings: LabSettings, more: readonly Step[] = []): ListrTask {
  return {
    title: "toolchain",
    task: (_context, task) => task.newListr(toolchainSteps(settings, more), { concurrent: true }),
  };
}

function clusterTask(settings: LabSettings, cluster: Cluster, failures: Error[]): ListrTask {
  const { name } = cluster.settings;
  return {
    title: name,
    task: async (_context, task) => {
      const started = performance.now();
      try {
        await ensureCluster(cluster, toolchain(settings), (part) => {
          const seconds = (performance.now() - started) / 1000;
          task.output = `${name}: ${part} ready after ${seconds.toFixed(1)} s`;
        });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures.push(new Error(`${name}: ${reason}`, { cause: error }));
        throw new Error(`${name} failed`, { cause: error });
      }
    },
  };
}

function together(failures: readonly Error[]): Error {
  return new Error(failures.map((failure) => failure.message).join("\n\n"), { cause: failures[0] });
}

async function run(tasks: ListrTask[]): Promise<void> {
  await new Listr(tasks, {
    fallbackRendererCondition: () => !process.stdout.isTTY || process.env["CI"] !== undefined,
    // The error is told once, in full, by whoever called.
    rendererOptions: { timer: PRESET_TIMER, collapseSkips: true, showErrorMessage: false },
    fallbackRenderer: "verbose",
    fallbackRendererOptions: { timer: PRESET_TIMER },
  }).run();
}
