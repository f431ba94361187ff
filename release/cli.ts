import { Command, InvalidArgumentError, Option } from "commander";
import type { AdoptOptions } from "./commands/adopt.ts";
import type { DashboardOptions } from "./commands/dashboard.ts";
import type { EjectOptions } from "./commands/eject.ts";
import type { ForgetClusterOptions } from "./commands/forget-cluster.ts";
import type { GuardOptions } from "./commands/guard.ts";
import type { HistoryOptions } from "./commands/history.ts";
import type { PauseOptions } from "./commands/pause.ts";
import type { PlanOptions } from "./commands/plan.ts";
import type { PromoteOptions } from "./commands/promote.ts";
import type { ReportOptions } from "./commands/report.ts";
import type { RollbackOptions } from "./commands/rollback.ts";
import type { RolloutOptions } from "./commands/rollout.ts";
import type { StatusOptions } from "./commands/status.ts";
import type { WeightOptions } from "./commands/weight.ts";
import type { ZeroOptions } from "./commands/zero.ts";
import { EXIT_CODES, NotConfirmed } from "./exit-codes.ts";
import { reason } from "./reason.ts";

/** All values of a repeatable option. */
const all = (value: string, before: readonly string[] = []) => [...before, value];

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port < 65_536) return port;
  throw new InvalidArgumentError("It must be a number up to 65535.");
}

// Each verb loads what it needs: zero works where there is no Pulumi.
const program = new Command("release").description(
  "The releases of a stack: through all phases, and the way back",
);
program
  .command("status")
  .description("show what every cluster serves, how the rollout stands, and what the gates say")
  .requiredOption("--stack <name>", "the stack")
  .option("--json", "as JSON")
  .option("--badge", "as the JSON of a badge, for Shields' endpoint")
  .option("--watch", "again and again, until it is interrupted")
  .addOption(
    new Option("--exit-code", "exit with 5 if something needs attention").conflicts("watch"),
  )
  .action(async (options: StatusOptions) => {
    const { status } = await import("./commands/status.ts");
    await status(options);
  });
program
  .command("plan")
  .description("show the next phase and what it would change")
  .requiredOption("--stack <name>", "the stack")
  .addOption(
    new Option("--format <format>", "of the output")
      .choices(["text", "markdown", "json"])
      .default("text"),
  )
  .action(async (options: PlanOptions) => {
    const { plan } = await import("./commands/plan.ts");
    await plan(options);
  });
program
  .command("promote")
  .description("raise the weight by one phase in every cluster")
  .requiredOption("--stack <name>", "the stack")
  .action(async (options: PromoteOptions) => {
    const { promote } = await import("./commands/promote.ts");
    await promote(options);
  });
program
  .command("rollout")
  .description("go through all phases, judged by each cluster's own metrics")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--image <service=image>",
    "begin with this image as the service's canary, repeatable (default: the canaries that the config has)",
    all,
  )
  .option(
    "--version <service=version>",
    "name of that image's version, repeatable (default: its tag)",
    all,
  )
  .option("--again", "try a canary once more that was taken back")
  .option("--json", "print events as lines of JSON, and nothing else")
  .option("--events <file>", "append events to a file, as lines of JSON")
  .action(async (options: RolloutOptions) => {
    const { rollout } = await import("./commands/rollout.ts");
    await rollout(options);
  });
program
  .command("pause")
  .description("pause a rollout, wherever it runs")
  .requiredOption("--stack <name>", "the stack")
  .option("--reason <text>", "why")
  .action(async (options: PauseOptions) => {
    const { pause } = await import("./commands/pause.ts");
    await pause(options);
  });
program
  .command("resume")
  .description("resume a paused rollout")
  .requiredOption("--stack <name>", "the stack")
  .action(async (options: PauseOptions) => {
    const { resume } = await import("./commands/pause.ts");
    await resume(options);
  });
program
  .command("report")
  .description("write an HTML report of the last rollout and what was measured")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--events <file>",
    "a file that rollout --events has written, instead of what the clusters remember",
  )
  .option("--out <file>", "the page", "release-report.html")
  .action(async (options: ReportOptions) => {
    const { writeReport } = await import("./commands/report.ts");
    console.log(await writeReport(options));
  });
program
  .command("weight")
  .description(
    "put the weight that a rollout holds into the config file, unless the change to be carried out sets another; changes nothing in a cluster",
  )
  .requiredOption("--stack <name>", "the stack")
  .option("--since <commit>", "the commit before the change (default: it is not about the weight)")
  .action(async (options: WeightOptions) => {
    const { weight } = await import("./commands/weight.ts");
    await weight(options);
  });
program
  .command("dashboard")
  .description("show releases live in the browser: every cluster, the gates, and why it waits")
  .requiredOption("--stack <name>", "a stack, repeatable", all)
  .option("--port <port>", "on this machine alone (default: a free one)", portNumber)
  .action(async (options: DashboardOptions) => {
    const { dashboard } = await import("./commands/dashboard.ts");
    await dashboard(options);
  });
program
  .command("zero")
  .description(
    "break glass: take canaries back to 0 % in all clusters, with a kubeconfig alone, and confirm it in every Envoy",
  )
  .option(
    "--context <name>",
    "a context of the kubeconfig, repeatable (default: those that the clusters have recorded)",
    all,
  )
  .option("--kubeconfig <file>", "the kubeconfig (default: the files kubectl reads)")
  .option("--service <namespace/name>", "only this service, repeatable", all)
  .option("--json", "as JSON")
  .action(async (options: ZeroOptions) => {
    const { zero } = await import("./commands/zero.ts");
    await zero(options);
  });
program
  .command("rollback")
  .description("restore an earlier state's release in every cluster, and prove it")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--to <state>",
    "number of a state, zero for weight 0, or previous for the newest one with different routing",
    "previous",
  )
  .option("--dry-run", "show what would be done, and change nothing")
  .action(async (options: RollbackOptions) => {
    const { rollback } = await import("./commands/rollback.ts");
    await rollback(options);
  });
program
  .command("history")
  .description("show the recorded states of the stack, newest first")
  .requiredOption("--stack <name>", "the stack")
  .option("--json", "as JSON")
  .action(async (options: HistoryOptions) => {
    const { history } = await import("./commands/history.ts");
    await history(options);
  });
program
  .command("adopt")
  .description(
    "find the services that others have made in all clusters, and write the config file of a stack that takes them over; changes nothing in a cluster. Where the file exists already, print what differs (exit code 2)",
  )
  .requiredOption("--context <name>", "a context of the kubeconfig, once for each cluster", all)
  .option("--kubeconfig <file>", "the kubeconfig (default: the files kubectl reads)")
  .option("--namespace <name>", "only services of this namespace, repeatable", all)
  .option("--service <namespace/name>", "only this service, repeatable", all)
  .option("--stack <name>", "the stack whose Pulumi.<stack>.yaml is written", "adopted")
  .option(
    "--mesh-stack <name>",
    "full name of the stack that has installed the mesh (default: others have installed Istio)",
  )
  .action(async (options: AdoptOptions) => {
    const { adopt } = await import("./commands/adopt.ts");
    await adopt(options);
  });
program
  .command("eject")
  .description("hand the routing of services back to their owners; no request goes another way")
  .requiredOption("--stack <name>", "the stack")
  .option("--service <namespace/name>", "only this service, repeatable (default: all)", all)
  .option("--out <folder>", "where the manifests for the owners are written", "handed-back")
  .option("--keep-split", "hand back a split as it is, while a canary has a part of the requests")
  .option("--dry-run", "show what would be done, and change nothing")
  .action(async (options: EjectOptions) => {
    const { eject } = await import("./commands/eject.ts");
    await eject(options);
  });
program
  .command("forget-cluster")
  .description(
    "forget a cluster that is gone for good: it leaves Pulumi's state and the config, and nothing is deleted there",
  )
  .argument("<name>", "the cluster, which the config must say is away")
  .requiredOption("--stack <name>", "the stack")
  .option("--yes", "do not ask")
  .option("--dry-run", "show what would be done, and change nothing")
  .action(async (cluster: string, options: ForgetClusterOptions) => {
    const { forget } = await import("./commands/forget-cluster.ts");
    await forget(cluster, options);
  });
program
  // It has work in its pod alone: elsewhere it would wait for files for ever.
  .command("guard", { hidden: true })
  .description(
    "watch a release from within one of its clusters, and take it back to 0 % when a gate fails; runs in a pod",
  )
  .option("--file <file>", "what an update has written", "/etc/release-guard/guard.json")
  .option(
    "--kubeconfig <file>",
    "a kubeconfig with a context for each other cluster, by its name",
    "/etc/release-guard-clusters/kubeconfig",
  )
  .option(
    "--notifications <file>",
    "those who are notified, as rollout.notifications has them",
    "/etc/release-guard-clusters/notifications.json",
  )
  .option("--port <port>", "a port that answers GET /healthz and GET /metrics (default: none)")
  .action(async (options: GuardOptions) => {
    const { guard } = await import("./commands/guard.ts");
    await guard(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`release: ${reason(error)}`);
  process.exitCode = error instanceof NotConfirmed ? EXIT_CODES["rollback-incomplete"] : 1;
}
