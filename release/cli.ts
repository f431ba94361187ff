import { Command, Option } from "commander";
import { history, type HistoryOptions } from "./commands/history.ts";
import { pause, resume, type PauseOptions } from "./commands/pause.ts";
import { plan, type PlanOptions } from "./commands/plan.ts";
import { promote, type PromoteOptions } from "./commands/promote.ts";
import { writeReport, type ReportOptions } from "./commands/report.ts";
import { rollback, type RollbackOptions } from "./commands/rollback.ts";
import { rollout, type RolloutOptions } from "./commands/rollout.ts";
import { status, type StatusOptions } from "./commands/status.ts";
import { reason } from "./reason.ts";

const program = new Command("release").description(
  "The releases of a stack: through all phases, and the way back",
);
program
  .command("history")
  .description("show the recorded states of the stack, newest first")
  .requiredOption("--stack <name>", "the stack")
  .option("--json", "as JSON")
  .action((options: HistoryOptions) => history(options));
program
  .command("rollback")
  .description("restore an earlier state's release in every cluster, and prove it")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--to <state>",
    "number of a state, zero for weight 0, or previous for the newest one with other routing",
    "previous",
  )
  .option("--dry-run", "say what would be done, and do nothing")
  .action((options: RollbackOptions) => rollback(options));
program
  .command("status")
  .description("show what every cluster serves, and how the rollout stands")
  .requiredOption("--stack <name>", "the stack")
  .option("--json", "as JSON")
  .action((options: StatusOptions) => status(options));
program
  .command("plan")
  .description("show the next phase and what it would change")
  .requiredOption("--stack <name>", "the stack")
  .addOption(
    new Option("--format <format>", "how").choices(["text", "markdown", "json"]).default("text"),
  )
  .action((options: PlanOptions) => plan(options));
program
  .command("promote")
  .description("raise the weight by one phase in every cluster")
  .requiredOption("--stack <name>", "the stack")
  .action((options: PromoteOptions) => promote(options));
program
  .command("rollout")
  .description("go through all phases, judged by each cluster's own metrics")
  .requiredOption("--stack <name>", "the stack")
  .option("--again", "try a canary once more that was rolled back")
  .option("--json", "print events as lines of JSON, and nothing else")
  .option("--events <file>", "append events to a file, as lines of JSON")
  .action((options: RolloutOptions) => rollout(options));
program
  .command("pause")
  .description("hold a rollout, also one that runs elsewhere")
  .requiredOption("--stack <name>", "the stack")
  .option("--reason <text>", "why")
  .action((options: PauseOptions) => pause(options));
program
  .command("resume")
  .description("let a rollout go on")
  .requiredOption("--stack <name>", "the stack")
  .action((options: PauseOptions) => resume(options));
program
  .command("report")
  .description("write what the last rollout has done, and what was measured, as one HTML page")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--events <file>",
    "a file that rollout --events has written, instead of what the clusters remember",
  )
  .option("--out <file>", "the page", "release-report.html")
  .action(async (options: ReportOptions) => {
    console.log(await writeReport(options));
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`release: ${reason(error)}`);
  process.exitCode = 1;
}
