import { setTimeout } from "node:timers/promises";
import { until } from "../../lib/until.ts";

/** How often a controller applies its manifests, in milliseconds. */
const INTERVAL_MS = 300;

/** Something that is done again and again, as by a controller, until it is stopped. */
export class Controller {
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #rounds = 0;

  constructor(round: () => Promise<void>) {
    this.#running = this.#run(round);
    // Whoever stops it is told.
    this.#running.catch(() => undefined);
  }

  async #run(round: () => Promise<void>): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await round();
      this.#rounds += 1;
      await setTimeout(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits until it has done so once more, from the beginning on. */
  async nextRound(): Promise<void> {
    const before = this.#rounds;
    await until(
      "the controller's next round",
      () => {
        if (this.#rounds < before + 2) throw new Error(`it has done ${this.#rounds - before}`);
      },
      { timeoutMs: 30_000 },
    );
  }

  /** @throws what a round has failed with */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }
}
