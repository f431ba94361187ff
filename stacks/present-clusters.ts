import type { ReleaseSettings } from "./config.ts";

/** The clusters that are not away: all that is read, checked, written to and judged. */
export function presentClusters<T extends { readonly name: string }>({
  clusters,
  away,
}: Pick<ReleaseSettings, "away"> & { readonly clusters: readonly T[] }): readonly T[] {
  return clusters.filter(({ name }) => !away.includes(name));
}
