import type { ConfirmedRoutes } from "./confirm.ts";

/**
 * How many Envoys have switched, and how far apart the first and the last were, in one sentence.
 *
 * @param routes of those that were asked themselves
 * @param acknowledged how many others have told their istiod. @default 0
 */
export function switched(routes: readonly ConfirmedRoutes[], acknowledged = 0): string {
  const times = routes.map(({ updatedAt }) => updatedAt.getTime());
  const lastOf = (cluster: string) =>
    Math.max(
      ...routes.filter((each) => each.cluster === cluster).map((each) => each.updatedAt.getTime()),
    );
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const clusters = [...new Set(routes.map(({ cluster }) => cluster))];
  const lasts = clusters.map(lastOf);
  return routes.length === 0
    ? "no Envoy routes to it"
    : `${routes.length} Envoys serve it, switched within ${seconds(Math.max(...times) - Math.min(...times))} s, ` +
        `the last of each cluster within ${seconds(Math.max(...lasts) - Math.min(...lasts))} s` +
        (acknowledged > 0 ? `, and ${acknowledged} more have acknowledged it to istiod` : "");
}

/** Who of a cluster has not been waited for, as a sentence of its own; none where all have confirmed. */
export function leftOutLines(
  cluster: string,
  { leftOut }: { readonly leftOut?: string | undefined },
): readonly string[] {
  return leftOut === undefined ? [] : [`Left out in ${cluster}: ${leftOut}.`];
}
