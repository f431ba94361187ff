import { askProgram } from "./ask-program.ts";

/** Times in milliseconds. */
const TIMES = {
  /** How long the program may run. */
  limit: 10_000,
  /** How long a token is used before the program is asked again. */
  kept: 5 * 60_000,
};

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

  /** The token, which may be some minutes old. @throws NoAnswer if the program fails, is late, or prints no token */
  async token(): Promise<string> {
    if (this.#token === undefined || Date.now() - this.#since >= this.#times.kept) {
      this.#since = Date.now();
      const token = askProgram(this.#argv, { wanted: "token", limit: this.#times.limit }, tokenOf);
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
}

function tokenOf(stdout: string): string {
  if (/^[\x21-\x7e]+$/.test(stdout)) return stdout;
  throw new Error(
    stdout === "" ? "it printed nothing" : "it printed something other than one token",
  );
}
