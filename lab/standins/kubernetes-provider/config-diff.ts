import { isDeepStrictEqual } from "node:util";
import type { Changes } from "./diff.ts";
import { activeCluster } from "./kubeconfig.ts";
import { kubeconfigOf } from "./settings.ts";
import { at, hasUnknown, type Fields } from "./values.ts";

/**
 * What replaces a provider, and with it all its resources, as in DiffConfig of the official one: another cluster in the
 * active context, in any of its fields, where both kubeconfigs can be read; or another `clusterIdentifier`, which has
 * the last word once it is there.
 */
export async function replacedConfig(
  olds: Fields,
  news: Fields,
  changes: Changes,
): Promise<readonly string[]> {
  const identifier = "clusterIdentifier";
  const now = at(news, identifier);
  if (now !== undefined && !changes.has(identifier)) return [];
  const identified = changes.get(identifier) === "UPDATE" ? [identifier] : [];
  const changed = [...changes.keys()].filter((path) => path in kubeconfigOf({}));
  if (changed.length === 0 || hasUnknown(news)) return [...identified, ...changed];
  const [before, after] = await Promise.all([clusterOf(olds), clusterOf(news)]);
  const moved = before && after && !isDeepStrictEqual(before, after);
  return [...identified, ...(moved ? changed : [])];
}

/** The cluster that a configuration leads to, or undefined if it cannot be read. */
async function clusterOf(config: Fields): Promise<Fields | undefined> {
  try {
    return await activeCluster(kubeconfigOf(config));
  } catch {
    return undefined;
  }
}
