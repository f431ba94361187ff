import { confidence, surelyExceeds, type Bounds, type Count } from "./confidence.ts";

/** What requests say about a canary. */
type Decision = "pass" | "fail" | "hold";
/** What a gate says of one cluster; idle where neither version got a request, so that there is nothing to judge. */
export type GateOutcome = Decision | "idle";

/** A gate's decision about one cluster, with what it was made from. */
export interface Judgement {
  readonly outcome: Decision;
  /** Measured share in percent. @default there was no request */
  readonly value: number | undefined;
  /** Between which percents the true share lies. */
  readonly low: number;
  readonly high: number;
  /** The percent that the value is held against. */
  readonly limit: number;
  /** How far the true value may be off the limit, in points. @default the limit has one side */
  readonly tolerance?: number | undefined;
  /** Requests that the value is a share of. */
  readonly samples: number;
  /** Why it holds. @default it does not */
  readonly missing: string | undefined;
}

/** How sure a decision must be, and from how much. */
export interface Confidence {
  /** Chance that this gate ever fails a good canary in this phase and cluster, or passes a bad one. */
  readonly risk: number;
  /** Requests below which nothing is decided for the canary. */
  readonly minSamples: number;
}

/** Bounds for the share of bad requests, all in percent of the requests. */
export interface BadShareLimits {
  /** The canary's share may be so high in any case. @default none, stable alone is the measure */
  readonly most?: number | undefined;
  /** By how much the canary's share may exceed stable's. @default stable does not matter */
  readonly margin?: number | undefined;
  /** How far the true share may lie above the limit with the gate still passing for want of samples. */
  readonly precision: number;
}

/** Bad requests of both versions in one cluster. */
export interface BadCounts {
  readonly canary: Count;
  readonly stable: Count;
}

const percent = (share: number) => 100 * share;
const fraction = (of: number | undefined) => (of === undefined ? undefined : of / 100);

function measured({ hits, trials }: Count): number | undefined {
  return trials === 0 ? undefined : percent(hits / trials);
}

function judgement(
  count: Count,
  bounds: Bounds,
  limit: number,
  outcome: Decision,
  missing?: string,
): Judgement {
  return {
    outcome,
    value: measured(count),
    low: percent(bounds.low),
    high: percent(bounds.high),
    limit,
    samples: count.trials,
    missing,
  };
}

/** Whether stable is compared with: it needs enough requests, unless it is the only measure. */
function comparesWith(
  stable: Count,
  { most, margin }: BadShareLimits,
  minSamples: number,
): boolean {
  return margin !== undefined && (stable.trials >= minSamples || most === undefined);
}

/** Whether a canary is surely worse than allowed; never with too few requests. */
export function isSurelyWorse(
  { canary, stable }: BadCounts,
  limits: BadShareLimits,
  { risk, minSamples }: Confidence,
): boolean {
  const compares = comparesWith(stable, limits, minSamples);
  if (canary.trials < minSamples || (compares && stable.trials < minSamples)) return false;
  const { most, margin } = limits;
  const shares = { most: fraction(most), margin: compares ? fraction(margin) : undefined };
  return surelyExceeds(canary, stable, shares, risk);
}

/**
 * Judges the share of bad requests, failed or slow ones. It fails where the canary is worse than allowed, and
 * passes where it is no more than `precision` worse, both with the confidence that `risk` leaves: neither a few unlucky requests nor too few of them decide. With both limits the looser one counts; where stable has too few
 * requests to compare with, the fixed one alone.
 */
export function judgeBadShare(
  counts: BadCounts,
  limits: BadShareLimits,
  sure: Confidence,
): Judgement {
  const { canary, stable } = counts;
  const { most, margin = 0, precision } = limits;
  const { risk, minSamples } = sure;
  const compares = comparesWith(stable, limits, minSamples);
  const ofCanary = confidence(canary, compares ? risk / 2 : risk);
  const ofStable = confidence(stable, risk / 2);
  /** The limit if stable's true share were the given one. */
  const limit = (share: number) =>
    Math.max(most ?? 0, compares ? percent(share) + margin : (most ?? 0));
  const shown = limit(stable.trials === 0 ? 0 : stable.hits / stable.trials);
  const judge = (outcome: Decision, missing?: string) =>
    judgement(canary, ofCanary, shown, outcome, missing);

  if (canary.trials < minSamples) {
    return judge("hold", `${canary.trials} of ${minSamples} requests`);
  }
  if (compares && stable.trials < minSamples) {
    return judge("hold", `${stable.trials} of ${minSamples} requests of stable, to compare with`);
  }
  if (isSurelyWorse(counts, limits, sure)) {
    // Both counts speak together, so the whole risk is there for this interval, which is beyond the limit.
    return judgement(canary, confidence(canary, risk), shown, "fail");
  }
  if (percent(ofCanary.high) <= limit(ofStable.low) + precision) return judge("pass");
  return judge("hold", `more are needed to be sure within ${precision} points`);
}

/** Judges whether a version's share of the requests is its weight, within a tolerance in points. */
export function judgeShare(
  count: Count,
  weight: number,
  tolerance: number,
  { risk, minSamples }: Confidence,
): Judgement {
  const bounds = confidence(count, risk);
  const judge = (outcome: Decision, missing?: string) => ({
    ...judgement(count, bounds, weight, outcome, missing),
    tolerance,
  });
  if (count.trials < minSamples) return judge("hold", `${count.trials} of ${minSamples} requests`);
  const off = percent(bounds.low) > weight + tolerance || percent(bounds.high) < weight - tolerance;
  return judge(off ? "fail" : "pass");
}
