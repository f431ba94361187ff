import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { makeChainStack } from "./chain-stack.ts";
import { componentsOf } from "./clusters/cluster.ts";
import { logFile, logTail } from "./clusters/component-process.ts";
import { knownClusters } from "./clusters/lab.ts";
import { labStatus } from "./clusters/status.ts";
import { CHAIN_PHASES } from "./demo/chain.ts";
import { runDemo } from "./demo/demo.ts";
import { labEnvironment, labPaths, labStack } from "./environment.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { PulumiCli } from "./pulumi.ts";
import { recordStacks } from "./record-stacks.ts";
import { labSettings, type LabSettings } from "./settings.ts";
import { labBuild, labDown, labUp } from "./up.ts";

/** Reports that the lab is down, for commands that need a running one. */
function mustBeUp(settings: LabSettings): void {
  if (!existsSync(labPaths(settings).kubeconfig)) {
    throw new Error("The lab is down. Start it with: make lab-up");
  }
}

async function status(settings: LabSettings): Promise<void> {
  const { text, ok } = await labStatus(settings);
  console.log(text);
  if (!ok) process.exitCode = 1;
}

async function logs(
  settings: LabSettings,
  component: string | undefined,
  cluster: string | undefined,
): Promise<void> {
  const clusters = await knownClusters(settings);
  if (!clusters) throw new Error("The lab is down and has no logs: start it with make lab-up");
  const chosen = clusters.filter(({ settings: { name } }) => !cluster || name === cluster);
  if (chosen.length === 0) {
    throw new Error(
      `There is no cluster "${cluster ?? ""}". Choose one of ${clusters.map(({ settings: { name } }) => name).join(", ")}`,
    );
  }
  const parts = chosen
    .flatMap(({ nodes }) => nodes)
    .map((node) => ({ node, names: componentsOf(node, "").map(({ name }) => name) }));
  const all = [...new Set(parts.flatMap(({ names }) => names))];
  if (component && !all.includes(component)) {
    throw new Error(`There is no component "${component}". Choose one of ${all.join(", ")}`);
  }
  for (const { node, names } of parts) {
    for (const name of names.filter((each) => !component || each === component)) {
      const file = logFile(name, node);
      console.log(`==> ${file}`);
      const whole = component && existsSync(file);
      console.log(whole ? await readFile(file, "utf8") : await logTail(name, node));
    }
  }
}

async function shell(settings: LabSettings): Promise<void> {
  mustBeUp(settings);
  const { exitCode } = await execa(process.env["SHELL"] ?? "/bin/sh", {
    env: labEnvironment(settings),
    cwd: settings.root,
    stdio: "inherit",
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
}

function printEnvironment(settings: LabSettings): void {
  mustBeUp(settings);
  for (const [name, value] of Object.entries(labEnvironment(settings))) {
    console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  }
}

async function demo(settings: LabSettings): Promise<void> {
  await labUp(settings);
  const clusters = settings.clusters.map(
    ({ name }) =>
      new ClusterClient({ name, context: name, kubeconfig: labPaths(settings).kubeconfig }),
  );
  const pulumi = new PulumiCli(settings.root, labEnvironment(settings), labStack);
  const problems = await runDemo(
    clusters,
    pulumi,
    { env: labEnvironment(settings), stack: labStack },
    {
      facts: path.join(settings.dir, "demo.json"),
      events: path.join(settings.dir, "rollout.jsonl"),
      report: path.join(settings.dir, "release-report.html"),
    },
    () => makeChainStack(settings, CHAIN_PHASES),
  );
  for (const problem of problems) console.error(`problem: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

const program = new Command("lab").description(
  "Two real Kubernetes clusters on this machine, and the mesh and release on them",
);
program
  .command("up")
  .description("start the lab, or restart what has died")
  .action(() => labUp(labSettings()));
program
  .command("down")
  .description("stop the lab and leave nothing behind")
  .action(() => labDown(labSettings()));
program
  .command("status")
  .description("show every component of every cluster")
  .action(() => status(labSettings()));
program
  .command("logs")
  .description("print a component's log, or the end of each")
  .argument("[component]", "for example kubelet")
  .option("--cluster <name>", "only of this cluster")
  .action((component: string | undefined, options: { cluster?: string }) =>
    logs(labSettings(), component, options.cluster),
  );
program
  .command("shell")
  .description("start a shell in which pulumi, kubectl, istioctl and helm work on the lab")
  .action(() => shell(labSettings()));
program
  .command("env")
  .description("print what that shell has in its environment, for eval")
  .action(() => {
    printEnvironment(labSettings());
  });
program
  .command("build")
  .description("install and build what the lab runs, and start nothing")
  .option("--browser", "and what the tests of pages need", false)
  .action(({ browser }: { browser: boolean }) => labBuild(labSettings(), browser));
program
  .command("record")
  .description("install the lab's stack and the chain's, and record both for the test of updates")
  .action(async () => {
    const settings = labSettings();
    mustBeUp(settings);
    await recordStacks(settings);
  });
program
  .command("demo")
  .description(
    "install the mesh, release user-service from 0 to 10, 30, 100 % and back, then a chain of services",
  )
  .action(() => demo(labSettings()));

try {
  await program.parseAsync();
} catch (error) {
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
