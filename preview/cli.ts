import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import { exclusionArgs } from "../lib/away.ts";
import { awayIn } from "./away.ts";
import { parseDigest } from "./digest.ts";
import { renderFailure, renderPreview } from "./markdown.ts";
import { previewJson } from "./preview-json.ts";

interface Options {
  readonly stack: string;
  readonly from?: string;
  /** Whether only the flags are printed that Pulumi needs. @default no */
  readonly flags?: boolean;
}

async function stored(from: string): Promise<{ json: string; ok: boolean }> {
  return {
    json: from === "-" ? await text(process.stdin) : await readFile(from, "utf8"),
    ok: true,
  };
}

async function preview({ stack, from, flags }: Options): Promise<void> {
  if (flags === true) {
    console.log(exclusionArgs(await awayIn(stack)).join(" "));
    return;
  }
  const { json, ok } =
    from === undefined
      ? await previewJson(stack, { flags: exclusionArgs(await awayIn(stack)) })
      : await stored(from);
  if (!ok) process.exitCode = 1;
  if (!ok && !json.trimStart().startsWith("{")) {
    process.stdout.write(renderFailure(stack));
    return;
  }
  process.stdout.write(renderPreview(parseDigest(json), { stack, now: new Date(), failed: !ok }));
}

const program = new Command("preview")
  .description("Preview an update of a stack as Markdown for a pull request")
  .requiredOption("--stack <name>", "the stack")
  .option(
    "--from <file>",
    "read what `pulumi preview --json --show-sames` has printed, instead of running it; - is standard input",
  )
  .addOption(
    new Option(
      "--flags",
      "preview nothing: print the flags by which pulumi leaves out clusters that are away, on one line",
    ).conflicts("from"),
  )
  .action(preview);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`preview: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
