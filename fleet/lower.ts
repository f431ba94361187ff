import type { ServiceName } from "../lib/names.ts";
import { routing } from "../lib/routing/index.ts";
import type { RoutingRules } from "../lib/routing/routing.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { explain } from "./explain.ts";
import { clusterRouting } from "./routing/index.ts";

/** A service whose canary is to get a lower share in one cluster. */
export interface Fall extends ServiceName {
  readonly cluster: ClusterClient;
  readonly canary: string;
  readonly weight: number;
  /** The routing rules as they are there. */
  readonly rules: RoutingRules;
}

/**
 * Lowers weights in all clusters at once, and waits for nothing but the API servers' answers.
 *
 * @returns why it did not succeed, by cluster
 */
export async function lower(falls: readonly Fall[]): Promise<ReadonlyMap<string, string>> {
  const failures = await Promise.all(
    falls.map(async ({ cluster, rules, canary, weight, ...name }) => {
      try {
        await clusterRouting.write(cluster, name, routing.lowered(rules, canary, weight));
        return [];
      } catch (error) {
        return [[cluster.name, explain(error)] as const];
      }
    }),
  );
  return new Map(failures.flat());
}
