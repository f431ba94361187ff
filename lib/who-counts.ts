/** Sidecars that have all that it names. */
export interface Exclusion {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Whose confirmation a change of routes needs in each cluster. */
export interface WhoCounts {
  /** Percent of the proxies that must confirm; all gateways must in any case. */
  readonly percent: number;
  /** Sidecars that are not asked and do not count. */
  readonly exclude: readonly Exclusion[];
  /** Whether sidecars on lost nodes count, too. */
  readonly lost: boolean;
}

/** The value of `safety.confirm` that asks for every proxy. */
export const ALL = "all";
/** Fewer than this percentage prove nothing, and more is all of them. */
const LEAST_PERCENT = 50;
const MOST_PERCENT = 99.9;

/** All that follow an istiod on a node that is there. */
export const everyone: WhoCounts = { percent: 100, exclude: [], lost: false };

/**
 * Those that must confirm a change by which requests fail where it has not arrived: whoever is not told by the
 * configuration to be none of them.
 */
export function allOfThem({ exclude }: WhoCounts): WhoCounts {
  return { percent: 100, exclude, lost: true };
}

/** The percentage that `all` or a text such as `98%` means; undefined for any other one. */
export function percentOf(text: string): number | undefined {
  if (text === ALL) return 100;
  const percent = /^\d{2}(\.\d)?%$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  return percent >= LEAST_PERCENT && percent <= MOST_PERCENT ? percent : undefined;
}

/**
 * How many proxies of a cluster may be left out.
 *
 * @param counted those that have confirmed, and those that have not
 */
export function mayMiss(percent: number, counted: number): number {
  // Tenths of a percent are no binary fractions.
  return counted - Math.ceil((Math.round(percent * 10) * counted) / 1000);
}
