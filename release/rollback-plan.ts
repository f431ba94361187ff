import type { DeployedCluster } from "../lib/deployed.ts";
import { problemLine } from "../lib/problems.ts";
import { releaseProblems, rises, wantedIn, type Wanted } from "../lib/release-rules.ts";

/** A configuration that a rollback may pass on its way. */
export interface Stop<T> {
  readonly config: T;
  /** What it wants of the services. */
  readonly wanted: Wanted;
}

/** The updates that lead back, or why there is no way. */
export type RollbackPlan<T> =
  | { readonly steps: readonly Stop<T>[]; readonly problems: readonly [] }
  | { readonly steps: undefined; readonly problems: readonly string[] };

/** Whether an update may go there: within the rules, and without a share that rises. */
function isWayBack(deployed: readonly DeployedCluster[], wanted: Wanted): boolean {
  return rises(deployed, wanted).length === 0 && releaseProblems(deployed, wanted).length === 0;
}

/** What the clusters serve after an update to `wanted`. */
export function afterUpdate(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
): readonly DeployedCluster[] {
  const members = wanted.routes.filter(({ role }) => role !== undefined).map(({ key }) => key);
  return deployed.map((cluster) =>
    cluster.unreachable === undefined
      ? {
          ...cluster,
          routes: new Map(
            wanted.routes.map((route) => {
              const { key, stable, canary, canaryImage, pods, weight, role, unnamed } = wantedIn(
                wanted,
                route,
                cluster.name,
              );
              const before = cluster.routes.get(key);
              const images = {
                ...before?.images,
                ...(canary !== undefined && canaryImage !== undefined && { [canary]: canaryImage }),
              };
              const chain = role === "entry" ? { role, members, mark: wanted.mark } : { role };
              const split = { stable, canary, weight, unnamed };
              return [
                key,
                {
                  ...{ generation: 0, replaces: undefined, rules: [], ...split, ...chain, images },
                  pods: { ...before?.pods, ...pods },
                },
              ];
            }),
          ),
        }
      : cluster,
  );
}

/**
 * The shortest way from what is deployed to `target` on which no canary's share ever rises. Where
 * versions have become stable since, it leads back over each promotion: first the old versions with
 * all requests where they are, then down.
 *
 * @param others configurations it may pass
 */
export function planRollback<T>(
  deployed: readonly DeployedCluster[],
  target: Stop<T>,
  others: readonly Stop<T>[],
): RollbackPlan<T> {
  const unvisited = new Set(others);
  let ways: readonly {
    readonly at: readonly DeployedCluster[];
    readonly steps: readonly Stop<T>[];
  }[] = [{ at: deployed, steps: [] }];
  while (ways.length > 0) {
    const arrived = ways.find(({ at }) => isWayBack(at, target.wanted));
    if (arrived) return { steps: [...arrived.steps, target], problems: [] };
    ways = ways.flatMap(({ at, steps }) =>
      [...unvisited]
        .filter(({ wanted }) => isWayBack(at, wanted))
        .map((stop) => {
          unvisited.delete(stop);
          return { at: afterUpdate(at, stop.wanted), steps: [...steps, stop] };
        }),
    );
  }
  return { steps: undefined, problems: refusal(deployed, target.wanted) };
}

/** Why there is no way, as lines for a person. */
function refusal(deployed: readonly DeployedCluster[], wanted: Wanted): readonly string[] {
  const rising = rises(deployed, wanted).map(
    ({ cluster, wanted: { key, canary, weight }, route }) =>
      ` - ${key} in ${cluster}: ${canary ?? ""} would rise to ${weight} %, ` +
      (route.canary === canary ? `it has ${route.weight} %` : "which is not the current canary"),
  );
  return [
    ...rising,
    ...releaseProblems(deployed, wanted).map(problemLine),
    ...(rising.length > 0
      ? [
          "A share that rises is a release, not a rollback: change the config and raise it phase by phase.",
        ]
      : []),
  ];
}
