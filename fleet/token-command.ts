import { execa, ExecaError } from "execa";
import { within } from "../lib/within.ts";

/** Times in milliseconds. */
const TIMES = {
  /** How long the program may run. */
  limit: 10_000,
  /** How long a token is used before the program is asked again. */
  kept: 5 * 60_000,
};

/** Why a program gave no token. */
export class NoToken extends Error {}

/** A program that prints a token. What it prints on its standard output is in no message. */
export class TokenCommand {
  readonly #argv: readonly string[];
  readonly #times: typeof TIMES;
  #token: Promise<string> | undefined;
  #since = 0;

  /** @param times for tests. @default it may run for 10 s, and its token is used for 5 minutes */
  constructor(argv: readonly string[], times: typeof TIMES = TIMES) {
    this.#argv = argv;
    this.#times = times;
  }

  /** The token, which may be some minutes old. @throws NoToken if the program fails, is late, or prints no token */
  async token(): Promise<string> {
    if (this.#token === undefined || Date.now() - this.#since >= this.#times.kept) {
      this.#since = Date.now();
      const token = this.#run();
      this.#token = token;
      token.catch(() => {
        if (this.#token === token) this.#token = undefined;
      });
    }
    return this.#token;
  }

  /** Has the program asked again, unless that was done since the token was got. */
  async forget(token: string): Promise<void> {
    if ((await this.#token) === token) this.#token = undefined;
  }

  async #run(): Promise<string> {
    const [program = "", ...args] = this.#argv;
    const { limit } = this.#times;
    const late = `it did not end within ${limit / 1000} s`;
    const running = execa(program, args, {
      stdin: "ignore",
      timeout: limit,
      killSignal: "SIGKILL",
    });
    try {
      // What the program has started may outlive it, and keep its output open.
      const { stdout } = await within(limit + 1000, running, late);
      if (!/^[\x21-\x7e]+$/.test(stdout)) {
        throw new Error(
          stdout === "" ? "it printed nothing" : "it printed something other than one token",
        );
      }
      return stdout;
    } catch (error) {
      running.stdout.destroy();
      running.stderr.destroy();
      throw new NoToken(`the program ${program} gave no token: ${reason(error, late)}`);
    }
  }
}

/** Why it failed, in its own words on standard error; never what it printed on standard output. */
function reason(error: unknown, late: string): string {
  if (!(error instanceof ExecaError)) return error instanceof Error ? error.message : String(error);
  if (error.timedOut) return late;
  if (error.code !== undefined && error.exitCode === undefined) return error.code;
  const said = printedOn(error.stderr).split("\n").at(-1) ?? "";
  const token = printedOn(error.stdout);
  const shown = token === "" ? said : said.replaceAll(token, "[secret]");
  return `exit code ${error.exitCode ?? "none"}${shown === "" ? "" : `: ${shown}`}`;
}

function printedOn(stream: unknown): string {
  return typeof stream === "string" ? stream.trim() : "";
}
