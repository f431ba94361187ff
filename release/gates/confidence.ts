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
