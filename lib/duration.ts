/** Stands for no time limit where a duration does for one. */
export const NO_LIMIT = "none";

/** Length of a duration such as `1m30s`, in milliseconds. */
export function durationMs(value: string): number {
  const units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
  return [...value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * units[unit as keyof typeof units],
    0,
  );
}
