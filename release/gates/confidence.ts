import { gammaln } from "simple-statistics";

/** How many of a number of independent trials are hits. */
export interface Count {
  readonly hits: number;
  readonly trials: number;
}

/** Between which shares, 0 to 1, the true one lies. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** Weight of the prior on either side; 1/2 loses least over all true shares (Krichevsky and Trofimov). */
const PRIOR = 0.5;
/** Halvings until the bound is as exact as numbers are. */
const HALVINGS = 60;

function logBeta(a: number, b: number): number {
  return gammaln(a) + gammaln(b) - gammaln(a + b);
}

/** `hits × log(share)`, which is 0 without hits, also at 0. */
function term(hits: number, share: number): number {
  return hits === 0 ? 0 : hits * Math.log(share);
}

/**
 * Logarithm of the evidence against a share: how much better the counts are foretold by a mixture of
 * all shares than by this one. It is a martingale if the share is the true one, so that the chance
 * that it ever exceeds `log(1 / risk)` is at most `risk` (Ville's inequality).
 */
function evidence({ hits, trials }: Count): (share: number) => number {
  const misses = trials - hits;
  const mixture = logBeta(hits + PRIOR, misses + PRIOR) - logBeta(PRIOR, PRIOR);
  return (share) => mixture - term(hits, share) - term(misses, 1 - share);
}

/**
 * A confidence sequence of a share: with growing counts, the true share lies between the bounds at all
 * looks together, however many there are and whenever you stop, except with probability `risk`. An
 * interval for one look, such as Wilson's, does not hold so: checking repeatedly inflates its error rate.
 *
 * @param risk chance of an error, more than 0 and less than 1
 * @see M. Lindon, A. Malek, Anytime-Valid Inference for Multinomial Count Data, arXiv:2011.03567
 * @see I. Waudby-Smith, A. Ramdas, Confidence sequences for sampling without replacement, 2020
 */
export function confidence(count: Count, risk: number): Bounds {
  const { hits, trials } = count;
  if (trials === 0) return { low: 0, high: 1 };
  const limit = -Math.log(risk);
  const against = evidence(count);
  const measured = hits / trials;
  /** The place between a share that is ruled out and the measured one, which never is. */
  const bound = (outside: number): number => {
    let [out, inside] = [outside, measured];
    for (let i = 0; i < HALVINGS; i += 1) {
      const middle = (out + inside) / 2;
      if (against(middle) >= limit) out = middle;
      else inside = middle;
    }
    return out;
  };
  return {
    low: hits === 0 ? 0 : bound(0),
    high: hits === trials ? 1 : bound(1),
  };
}

/** The least value of a convex function between two places. */
function least(of: (place: number) => number, from: number, to: number): number {
  let [low, high] = [from, to];
  for (let i = 0; i < HALVINGS && high > low; i += 1) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (of(left) <= of(right)) high = right;
    else low = left;
  }
  return of((low + high) / 2);
}

/**
 * Whether a share surely exceeds a limit that depends on another share, at all looks together but for the
 * chance `risk`: `most`, or the other share and `margin`, whichever is more; of either one alone if the
 * other is undefined. Both counts speak together: for no value of the other share may the evidence
 * against it, and against the first one being within the limit that follows, be less than the risk asks for.
 * Where both are the true ones, the product of the two is a martingale, since they are counted apart, and
 * so is its mean with the first one alone, which is used: it loses little where the other share does not
 * matter. That needs fewer counts than two intervals which must not meet.
 *
 * @param limits shares, 0 to 1
 */
export function surelyExceeds(
  count: Count,
  other: Count,
  { most, margin }: { readonly most?: number | undefined; readonly margin?: number | undefined },
  risk: number,
): boolean {
  const needed = -Math.log(risk);
  const measured = count.hits / count.trials;
  const expected = other.trials === 0 ? 0 : other.hits / other.trials;
  if (measured <= Math.max(most ?? 0, margin === undefined ? 0 : expected + margin)) return false;
  const ofCount = evidence(count);
  /** Evidence against all shares up to this one. */
  const within = (share: number) => ofCount(Math.min(share, measured));
  if (margin === undefined) return most !== undefined && within(most) >= needed;
  const againstOther = evidence(other);
  const ofOther = (share: number) => {
    const log = againstOther(share);
    return Math.max(log, 0) + Math.log1p(Math.exp(-Math.abs(log))) - Math.LN2;
  };
  /** Up to here `most` is more than what follows from the other share. */
  const fixed = Math.max(0, (most ?? 0) - margin);
  if (most !== undefined && within(most) + ofOther(Math.min(expected, fixed)) < needed)
    return false;
  return least((share) => within(share + margin) + ofOther(share), fixed, 1) >= needed;
}
