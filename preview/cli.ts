import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import { exclusionArgs } from "../lib/away.ts";
import { awayIn } from "./away.ts";
import { parseDigest, parseStored, type Digest } from "./digest.ts";
import { renderFailure, renderPreview } from "./markdown.ts";
import { previewJson } from "./preview-json.ts";

interface Options {
  readonly stack: string;
  readonly from?: string;
  /** Whether only the flags are printed that Pulumi needs. @default no */
  readonly flags?: boolean;
}

async function stored(from: string): Promise<Digest> {
  return parseStored(from === "-" ? await text(process.stdin) : await readFile(from, "utf8"));
}

/** Stops the command where the flags cannot be known: an update without them would go to clusters that are away. */
function stop(why: string): never {
  throw new Error(why.trim());
}

async function preview({ stack, from, flags }: Options): Promise<void> {
  if (flags === true) {
    console.log(exclusionArgs(await awayIn(stack, stop)).join(" "));
    return;
  }
  const now = new Date();
  if (from !== undefined) {
    process.stdout.write(renderPreview(await stored(from), { stack, now, failed: false }));
    return;
  }
  // A config that cannot be read fails the preview, too, which tells.
  const away = await awayIn(stack, () => undefined);
  const { json, ok } = await previewJson(stack, { flags: exclusionArgs(away) });
  if (!ok) process.exitCode = 1;
  process.stdout.write(
    !ok && !json.trimStart().startsWith("{")
      ? renderFailure(stack)
      : renderPreview(parseDigest(json), { stack, now, failed: !ok }),
  );
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
