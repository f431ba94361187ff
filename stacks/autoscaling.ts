import type { AutoscalingArgs } from "../components/index.ts";
import { podsFor, type Needed } from "../lib/capacity.ts";
import { exceptionFix, type Exception } from "../lib/exceptions.ts";
import type { Problem } from "../lib/problems.ts";
import type { ServiceSettings } from "./config.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { isMade } from "./workload.ts";

/** How a component is told who decides how many pods there are. */
export function autoscalingOf({
  autoscaling,
}: Pick<ServiceSettings, "autoscaling">): AutoscalingArgs | "external" | undefined {
  if (!autoscaling) return undefined;
  const { external, max, metrics, ...rest } = autoscaling;
  return external === true || max === undefined
    ? "external"
    : { ...rest, max, metrics: metrics as AutoscalingArgs["metrics"] };
}

/**
 * Fewest pods of each version while a release is going on: stable can take everything back, and the canary has its
 * share of the pods before it has its share of the requests.
 *
 * @param weight percent of the canary in the cluster
 */
export function minPods(
  route: Pick<PlannedRoute, "needed"> | undefined,
  weight: number,
): { readonly stable?: number; readonly canary?: number } {
  const pods = route?.needed?.pods;
  return pods === undefined || weight === 0 ? {} : { stable: pods, canary: podsFor(pods, weight) };
}

/** Most pods that the configuration allows the stable version, and the key that says so. */
export function mostStable({
  autoscaling,
  stable,
}: Pick<ServiceSettings, "autoscaling" | "stable">):
  { readonly key: string; readonly most: number } | undefined {
  if (!autoscaling) return { key: "stable.replicas", most: stable.replicas };
  return autoscaling.max === undefined
    ? undefined
    : { key: "autoscaling.max", most: autoscaling.max };
}

/**
 * What would keep stable from taking everything back: fewer pods of it than it had when the canary began, as long as the
 * canary serves requests.
 */
export function shrinkProblems(
  { routes }: Pick<ReleasePlan, "routes">,
  allow: readonly Exception[],
): readonly Problem[] {
  if (allow.includes("shrink-stable")) return [];
  const found = routes.flatMap(({ service, wanted, needed, cluster }) => {
    const limit = isMade(service) ? mostStable(service) : undefined;
    if (!limit || !needed?.isNoted) return [];
    // What somebody has added by hand is nobody's to keep; what the configuration takes away is.
    return limit.most < Math.min(needed.pods, needed.most ?? Infinity)
      ? [{ ...limit, path: wanted.path, needed, cluster }]
      : [];
  });
  return [...Map.groupBy(found, ({ path, key }) => `${path}.${key}`)].flatMap(([path, of]) => {
    const [first] = of.toSorted((one, other) => other.needed.pods - one.needed.pods);
    if (!first) return [];
    const { needed, most } = first;
    return [
      {
        path,
        value: most,
        rule: `must be at least ${needed.pods} until the canary is promoted or its weight is 0: with so many pods ${needed.stable} of ${needed.key} served all requests, and must be able to take them back (${of.map(({ cluster }) => cluster).join(", ")})`,
        fix: `Change it after the release. ${exceptionFix("shrink-stable", allow)}`,
      },
    ];
  });
}

/**
 * Where somebody else has left stable fewer pods than take everything back, while the canary rises.
 *
 * @param stablePods pods of stable that can take requests, of the services that others have made
 */
export function shrunk(
  { routes }: Pick<ReleasePlan, "routes">,
  stablePods: ReadonlyMap<PlannedRoute, number>,
): readonly string[] {
  return routes.flatMap((route) => {
    const { service, cluster, needed, deployed, rises, key } = route;
    if (!needed || !rises) return [];
    if (isMade(service) && service.autoscaling?.external !== true) return [];
    const pods = stablePods.get(route) ?? deployed?.replicas?.[needed.stable] ?? needed.pods;
    return pods < needed.pods
      ? [
          `${cluster}: ${needed.stable} of ${key} has ${pods} pods, and had ${needed.pods} when the canary began, which all requests need if the canary is taken back. Have its ${isMade(service) ? "autoscaler" : "owner or their autoscaler"} keep so many until the canary is promoted.`,
        ]
      : [];
  });
}

/**
 * How many pods stable has in the clusters in which a canary begins that others have made, so that it is noted.
 *
 * @param stablePods see shrunk
 */
export function counted(
  { routes }: Pick<ReleasePlan, "routes">,
  stablePods: ReadonlyMap<PlannedRoute, number>,
): ReadonlyMap<PlannedRoute, Needed> {
  return new Map(
    routes.flatMap((route) => {
      const { key, wanted, needed, rises } = route;
      const pods = stablePods.get(route) ?? 0;
      return rises && needed === undefined && pods > 0
        ? [[route, { key, stable: wanted.stable, pods, isNoted: false }] as const]
        : [];
    }),
  );
}
