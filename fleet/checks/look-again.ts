import { until } from "../../lib/until.ts";
import type { Objection } from "./index.ts";

/** What was seen in one look at all clusters, by cluster. */
export type Objections = ReadonlyMap<string, readonly Objection[]>;

/** Pause between two looks, in milliseconds. */
const PAUSE_MS = 1_000;

/**
 * Looks again as long as every objection to the change may heal by itself. Each look is at
 * everything in all clusters, so that all of it holds when the write follows, however long it took.
 *
 * @param withinMs no look begins later, in milliseconds; the last one may add what a look takes
 * @param pauseMs between two looks, in milliseconds
 * @returns what the last look has seen; nothing if all is well
 */
export async function lookAgain(
  look: () => Promise<Objections>,
  withinMs: number,
  pauseMs: number = PAUSE_MS,
): Promise<Objections> {
  let last: Objections | undefined;
  try {
    return await until(
      "all checks to pass",
      async () => {
        last = await look();
        const objections = [...last.values()].flat();
        if (objections.length > 0 && objections.every(({ mayHeal }) => mayHeal)) {
          throw new Error(objections.map(({ line }) => line).join("\n"));
        }
        return last;
      },
      { timeoutMs: withinMs, everyMs: pauseMs },
    );
  } catch (error) {
    if (!last) throw error;
    return last;
  }
}
