const MINUTE_MS = 60_000;
/** A phase may last so long with the risk that the configuration allows, in milliseconds. */
export const HORIZON_MS = 24 * 60 * MINUTE_MS;
/** Every so often a sequence begins anew, in milliseconds: short ones for faults that many requests show. */
const EVERY_MS = [1, 2, 4, 16].map((minutes) => minutes * MINUTE_MS);
/** Part of a gate's risk that the sequence since the phase began may use up. */
export const RISK_OF_WHOLE = 0.5;

/** A stretch at the end of a phase, in which requests are counted apart. */
export interface Recent {
  readonly seconds: number;
  /** Part of a gate's risk that may be used up by a decision from it, more than 0. */
  readonly riskPart: number;
}

/**
 * The sequences that are looked at after a phase has lasted so long, besides the one since its beginning.
 * In that, a fault which begins late is diluted by everything good before it. So each time so long has
 * gone by, another sequence begins, and is looked at from that age on until it is twice as old. A fault is therefore judged
 * with hardly more good requests before it than it lasts. Where sequences begin does not depend on what is
 * counted, so each is a confidence sequence of its own, and together they err no more often than the sum
 * of their risks: over the horizon, half of the gate's.
 *
 * @see J. Shin, A. Ramdas, A. Rinaldo, E-detectors: a nonparametric framework for sequential change
 * detection, arXiv:2203.03532, where a new e-process begins at each step
 */
export function restarts(elapsedMs: number): readonly Recent[] {
  return EVERY_MS.flatMap((everyMs) => {
    const begin = (Math.floor(elapsedMs / everyMs) - 1) * everyMs;
    return begin < everyMs
      ? []
      : [
          {
            seconds: Math.floor((elapsedMs - begin) / 1000),
            riskPart: ((1 - RISK_OF_WHOLE) / EVERY_MS.length) * (everyMs / HORIZON_MS),
          },
        ];
  });
}
