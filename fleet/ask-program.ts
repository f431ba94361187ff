import { execa, ExecaError } from "execa";
import { within } from "../lib/within.ts";

/** Why a program gave nothing that can be used. */
export class NoAnswer extends Error {}

/** It has not ended in time: asked again, it may take as long once more. */
export class NotInTime extends NoAnswer {}

interface AskedProgram {
  /** What it is to print, in an error's words: `token`. */
  readonly wanted: string;
  /** How long it may run, in milliseconds. */
  readonly limit: number;
  /** Variables beside those of this process. @default none */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/**
 * Runs a program, and reads what it prints on its standard output, of which nothing is in a message. It gets no input.
 *
 * @param read makes a value of it, or throws an error that says what is wrong with it
 * @throws NoAnswer if the program fails or prints something else, NotInTime if it is late
 */
export async function askProgram<T>(
  [program = "", ...args]: readonly string[],
  { wanted, limit, env = {} }: AskedProgram,
  read: (stdout: string) => T,
): Promise<T> {
  const late = `it did not end within ${limit / 1000} s`;
  const running = execa(program, args, {
    stdin: "ignore",
    timeout: limit,
    killSignal: "SIGKILL",
    env,
  });
  try {
    // What the program has started may outlive it, and keep its output open.
    const { stdout } = await within(limit + 1000, running, late);
    return read(stdout);
  } catch (error) {
    running.stdout.destroy();
    running.stderr.destroy();
    const why = reason(error, late);
    const text = `the program ${program} gave no ${wanted}: ${why}`;
    throw why === late ? new NotInTime(text) : new NoAnswer(text);
  }
}

/** Why it failed, in its own words on standard error; never what it printed on standard output. */
function reason(error: unknown, late: string): string {
  if (!(error instanceof ExecaError)) return error instanceof Error ? error.message : String(error);
  if (error.timedOut) return late;
  if (error.code !== undefined && error.exitCode === undefined) return error.code;
  const said = printedOn(error.stderr).split("\n").at(-1) ?? "";
  const printed = printedOn(error.stdout);
  const shown = printed === "" ? said : said.replaceAll(printed, "[secret]");
  return `exit code ${error.exitCode ?? "none"}${shown === "" ? "" : `: ${shown}`}`;
}

function printedOn(stream: unknown): string {
  return typeof stream === "string" ? stream.trim() : "";
}
