import { markedShare, serving } from "./chain-rules.ts";
import type { DeployedCluster, DeployedRoute } from "./deployed.ts";

/** Whether a route follows the mark of a chain: its own weights are 0, and say nothing of its share. */
export function follows({ role, weight }: Pick<DeployedRoute, "role" | "weight">): boolean {
  // One that somebody has given a weight splits requests that are not marked too.
  return role === "follower" && weight === 0;
}

/**
 * A cluster with the shares that the requests of its clients really get: a follower's is that of the
 * cluster's entries, the highest where they differ.
 */
export function servedIn(cluster: DeployedCluster): DeployedCluster {
  const marked = markedShare([cluster]);
  const routes = [...cluster.routes].map(
    ([key, route]) => [key, follows(route) ? serving(route, marked) : route] as const,
  );
  return { ...cluster, routes: new Map(routes) };
}
