/** Two-sided quantile of the normal distribution for the interval that is shown, 99 %. */
export const SHOWN_Z = 2.5758;

/**
 * Quantile for the interval that decides whether a share is wrong. A demo checks two dozen shares, so
 * the 99 % interval alone would call one in five good demos bad; this one errs once in a million shares.
 */
const DECIDING_Z = 4.9;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's score interval of a share, in percent.
 *
 * @param hits how many of the trials count
 * @param trials how many there were; 0 says nothing, so the interval is everything
 * @see E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927
 */
export function wilson(hits: number, trials: number, z: number): Interval {
  if (trials === 0) return { low: 0, high: 100 };
  const share = hits / trials;
  const z2 = z * z;
  const middle = share + z2 / (2 * trials);
  const half = z * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials));
  const scale = 1 + z2 / trials;
  return {
    low: Math.max(0, (100 * (middle - half)) / scale),
    high: Math.min(100, (100 * (middle + half)) / scale),
  };
}

/** Whether a measured share contradicts the configured one. */
export function contradicts(hits: number, trials: number, percent: number): boolean {
  if (percent === 0) return hits > 0;
  if (percent === 100) return hits < trials;
  const { low, high } = wilson(hits, trials, DECIDING_Z);
  return percent < low || percent > high;
}
