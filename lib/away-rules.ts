import { allOf } from "./enumerate.ts";
import type { DeployedRoute } from "./deployed.ts";
import type { Problem } from "./problems.ts";
import type { Wanted, WantedRoute } from "./release-rules.ts";

/** A cluster that has the service, and how it routes it. */
interface Routed {
  readonly name: string;
  readonly route: DeployedRoute;
}

function hasVersionsOf({ route }: Routed, { stable, canary }: WantedRoute): boolean {
  return !route.unnamed && route.stable === stable && route.canary === canary;
}

/**
 * Whether a cluster has fallen behind the others, as one that was away: it has other versions, and an update has brought
 * a cluster that is not in quarantine to those of the config already. Made equal to that, it gets what has passed all
 * phases and checks.
 */
export function isBehind(
  cluster: Routed,
  known: readonly Routed[],
  wanted: WantedRoute,
  { quarantine }: Pick<Wanted, "quarantine">,
): boolean {
  const isLeader = (each: Routed) =>
    !quarantine.includes(each.name) &&
    each.route.writtenBy === undefined &&
    hasVersionsOf(each, wanted);
  return (
    !quarantine.includes(cluster.name) &&
    cluster.route.unnamed !== true &&
    !hasVersionsOf(cluster, wanted) &&
    known.some(isLeader)
  );
}

/**
 * What may not change while a cluster is away: its clients may be sent to any version that there is, also in the other
 * clusters. Where the program makes the pods, these stay; others' pods may go, and a chain's mark means the canaries of
 * all services that there are.
 */
export function awayProblems(
  known: readonly Routed[],
  { path, stable, canary, role, pods }: WantedRoute,
  { away = [] }: Pick<Wanted, "away">,
): readonly Problem[] {
  if (away.length === 0 || (role === undefined && pods !== undefined)) return [];
  if (known.every(({ route }) => route.stable === stable && route.canary === canary)) return [];
  const why =
    role === undefined
      ? "requests of clients there go to pods that others have made, and nobody knows how long those stay"
      : "it is in a chain, and what is marked there is served by the canaries that there are, also in the other clusters";
  const fix =
    role === undefined
      ? "Lower its weight to 0 if its canary is bad"
      : "Another image may get the same version name: that of a canary at weight 0 as it is, any other one with allow: [replace-stable]";
  return [
    {
      path,
      rule: `must keep its versions while ${allOf(away)} ${away.length === 1 ? "is" : "are"} away: ${why}`,
      fix: `${fix}. Or take the cluster out of away first, once it answers.`,
    },
  ];
}
