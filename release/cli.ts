import { Command } from "commander";
import { history, type HistoryOptions } from "./commands/history.ts";
import { rollback, type RollbackOptions } from "./commands/rollback.ts";
import { reason } from "./reason.ts";

const program = new Command("release").description(
  "The releases of a stack: what it has been, and the way back",
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

try {
  await program.parseAsync();
} catch (error) {
  console.error(`release: ${reason(error)}`);
  process.exitCode = 1;
}
