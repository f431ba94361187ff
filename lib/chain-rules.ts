import type { DeployedCluster, DeployedRoute } from "./deployed.ts";
import { exceptionFix } from "./exceptions.ts";
import type { Problem } from "./problems.ts";
import type { Wanted, WantedRoute } from "./release-rules.ts";

/**
 * Percent of the requests that entries of a chain mark. A marked request may reach a follower in any
 * cluster, so the highest weight of any cluster counts.
 */
export function markedShare(deployed: readonly DeployedCluster[]): number {
  return markedBy(deployed.flatMap(({ routes }) => [...routes.values()]));
}

/** Percent of the requests that the entries among these routes mark: the highest where they differ. */
export function markedBy(routes: readonly Pick<DeployedRoute, "role" | "weight">[]): number {
  return Math.max(0, ...routes.map(({ role, weight }) => (role === "entry" ? weight : 0)));
}

/** The same for what is wanted. */
export function wantedShare({ routes }: Pick<Wanted, "routes">): number {
  return markedBy(routes);
}

/** A route with the share that the canary really has: a follower's own weights are always 0. */
export function serving<T extends Pick<DeployedRoute, "role" | "canary" | "weight">>(
  route: T,
  marked: number,
): T {
  return route.role === "follower" && route.canary !== undefined
    ? { ...route, weight: marked }
    : route;
}

/** How a service is routed in each cluster that has it. */
function routesOf(deployed: readonly DeployedCluster[], key: string): readonly DeployedRoute[] {
  return deployed.flatMap(({ routes }) => routes.get(key) ?? []);
}

/** The rules that a change of the chain itself would violate while its canaries serve requests. */
export function chainProblems(deployed: readonly DeployedCluster[], wanted: Wanted): Problem[] {
  if (wanted.allow.includes("change-chain")) return [];
  const marked = markedShare(deployed);
  const problem = (path: string, value: string, rule: string, fix = BACK): Problem => ({
    path,
    value,
    rule,
    fix: `${fix} ${exceptionFix("change-chain", wanted.allow)}`,
  });
  return [
    ...roleProblems(deployed, wanted, marked, problem),
    ...(marked > 0 ? memberProblems(deployed, wanted, marked, problem) : []),
    ...promotionProblems(deployed, wanted, problem),
  ];
}

/**
 * Whether followers' stable versions become canaries again, as when a promotion is taken back. Then all
 * requests must bear the mark before the first follower looks for it, so entries change first.
 */
export function isTakenBack(
  deployed: readonly DeployedCluster[],
  { routes }: Pick<Wanted, "routes">,
): boolean {
  return routes.some(
    ({ key, role, stable, canary }) =>
      role === "follower" &&
      routesOf(deployed, key).some((route) => route.stable === canary && route.stable !== stable),
  );
}

type MakeProblem = (path: string, value: string, rule: string, fix?: string) => Problem;

const BACK = "Take the weight back to 0 first.";

function roleProblems(
  deployed: readonly DeployedCluster[],
  { routes }: Wanted,
  marked: number,
  problem: MakeProblem,
): Problem[] {
  return routes.flatMap(({ key, role }) => {
    const changed = routesOf(deployed, key).find(
      (route) => route.role !== role && serving(route, marked).weight > 0,
    );
    if (!changed) return [];
    const rule = `must keep ${key} ${changed.role === undefined ? "out of the chain" : `in the role ${changed.role}`} while its canary serves ${serving(changed, marked).weight} %`;
    return [problem("chain.entries", key, rule)];
  });
}

function memberProblems(
  deployed: readonly DeployedCluster[],
  { routes, mark }: Wanted,
  marked: number,
  problem: MakeProblem,
): Problem[] {
  const deployedRoutes = deployed.flatMap((cluster) => [...cluster.routes.values()]);
  const members = new Set(deployedRoutes.flatMap((route) => route.members ?? []));
  const marks = [...new Set(deployedRoutes.flatMap((route) => route.mark ?? []))];
  const chained = routes.filter(({ role }) => role !== undefined);
  const keys = chained.map(({ key }) => key);
  const whileServing = `while entries of the chain send ${marked} % of the requests to canaries`;
  // Where the whole chain is taken out of the configuration, its services' roles have changed.
  const left = chained.length === 0 ? [] : [...members].filter((key) => !keys.includes(key));
  return [
    ...(mark !== undefined && marks.some((each) => each !== mark)
      ? [problem("chain.mark", mark, `must stay ${marks.join(", ")} ${whileServing}`)]
      : []),
    ...left.map((key) => problem("services", key, `must keep ${key} ${whileServing}`)),
    ...chained.flatMap(({ key, path, role, canary }) => {
      if (!members.has(key)) return [problem(path, key, `must not be added ${whileServing}`)];
      // The mark says nothing of versions: entries that still mark for the last canary would send to this one.
      const others = routesOf(deployed, key).some(
        (route) => route.canary !== canary && route.stable !== canary,
      );
      return role === "follower" && canary !== undefined && others
        ? [problem(`${path}.canary.version`, canary, `must not be added ${whileServing}`)]
        : [];
    }),
  ];
}

/** A chain is promoted as a whole: versions that were never served together would meet otherwise. */
function promotionProblems(
  deployed: readonly DeployedCluster[],
  { routes }: Wanted,
  problem: MakeProblem,
): Problem[] {
  const onTrial = routes.flatMap((route) => {
    const canary = routesOf(deployed, route.key).find((each) => each.canary !== undefined)?.canary;
    return route.role !== undefined && canary !== undefined ? [{ ...route, trial: canary }] : [];
  });
  const isPromoted = ({ stable, trial }: WantedRoute & { trial: string }) => stable === trial;
  const promoted = onTrial.filter(isPromoted).map(({ key }) => key);
  return promoted.length === 0
    ? []
    : onTrial
        .filter((route) => !isPromoted(route))
        .map(({ path, stable, trial }) =>
          problem(
            `${path}.stable.version`,
            stable,
            `must become ${trial} together with ${promoted.join(", ")}: a chain is promoted as a whole`,
            "Make the canaries of all its services stable in one update.",
          ),
        );
}
