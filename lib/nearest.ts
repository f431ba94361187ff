import { closestMatch } from "leven";

/** How many letters of a name may be wrong for another one to be meant; two that are swapped are two. */
function tolerance(letters: number): number {
  return letters <= 3 ? 1 : Math.max(2, Math.floor(letters * 0.4));
}

/** A name without what is often written another way: case, hyphens, underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/**
 * The one of `known` that is likely meant by `written`.
 *
 * @param maxDistance letters that may differ
 */
export function nearest(
  written: string,
  known: readonly string[],
  maxDistance = tolerance(plain(written).length),
): string | undefined {
  const names = new Map(known.map((name) => [plain(name), name]));
  const match = closestMatch(plain(written), [...names.keys()], { maxDistance });
  return match === undefined ? undefined : names.get(match);
}
