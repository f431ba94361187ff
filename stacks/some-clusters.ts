import { allOf } from "../lib/enumerate.ts";
import type { Problem } from "../lib/problems.ts";

/** Why, and what to do about a service that does not run in every cluster. */
export const EVERY_CLUSTER = {
  why: "each cluster's canary is judged by its own requests, and each cluster has a host of its own for it",
  fix: "Deploy it in the others too, with as few pods as they need, or leave the service out of this config: without this program's routes, requests of all clusters go to its pods, wherever these are.",
} as const;

/** What one cluster has of a service that others have made. */
interface Presence {
  readonly cluster: string;
  /** Where the service is in the configuration: `services[0]`. */
  readonly path: string;
  /** The service, as `namespace/service`. */
  readonly key: string;
  /** Pods that its Service selects. @default nobody knows */
  readonly pods: number | undefined;
}

/** A service that others run in some of the clusters only. */
export interface PartlyThere {
  readonly problem: Problem;
  readonly path: string;
  /** The clusters that have no pod of it. */
  readonly without: readonly string[];
}

/** Services that others run in some of the clusters only: that is told as such, not as what is missing in each of them. */
export function partlyThere(found: readonly Presence[]): readonly PartlyThere[] {
  return [...Map.groupBy(found, ({ path }) => path)].flatMap(([path, own]) => {
    const without = own.flatMap(({ cluster, pods }) => (pods === 0 ? [cluster] : []));
    const having = own.flatMap(({ cluster, pods = 0 }) => (pods > 0 ? [cluster] : []));
    const [first] = own;
    if (!first || without.length === 0 || having.length === 0) return [];
    const problem = {
      path,
      rule: `must run in every cluster, since ${EVERY_CLUSTER.why}, but ${first.key} has pods in ${allOf(having)} and none in ${allOf(without)}`,
      fix: EVERY_CLUSTER.fix,
    };
    return [{ problem, path, without }];
  });
}
