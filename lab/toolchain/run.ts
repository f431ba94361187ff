import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";
import { execa, ExecaError } from "execa";

/** Lines of a failed command's output that go into its error. */
const TAIL_LINES = 20;

export interface RunOptions {
  /** File that gets the command line and everything it prints. */
  readonly log: string;
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of the output. */
  readonly onLine?: (line: string) => void;
  /** Ends the command. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a command to its end, with its output in a log file. A command that cannot be run or fails
 * rejects with the command, how it ended, the end of its output and where the rest of it is.
 */
export async function run(
  command: string,
  args: readonly string[],
  { log, cwd, env, onLine, signal }: RunOptions,
): Promise<void> {
  await mkdir(dirname(log), { recursive: true });
  const file = createWriteStream(log, { flags: "a" });
  const line = [command, ...args].join(" ");
  file.write(`$ ${line}\n`);
  const tail: string[] = [];
  try {
    const child = execa(command, args, {
      stdin: "ignore",
      all: true,
      buffer: false,
      ...(cwd !== undefined && { cwd }),
      ...(env && { env }),
      ...(signal && { cancelSignal: signal }),
    });
    for await (const printed of child.iterable({ from: "all" })) {
      file.write(`${printed}\n`);
      tail.push(printed);
      if (tail.length > TAIL_LINES) tail.shift();
      onLine?.(printed);
    }
    await child;
  } catch (error) {
    signal?.throwIfAborted();
    const how = error instanceof ExecaError ? error.shortMessage : String(error);
    throw new Error([how, ...tail.map((text) => `  ${text}`), `whole output: ${log}`].join("\n"), {
      cause: error,
    });
  } finally {
    file.end();
    await finished(file);
  }
}
