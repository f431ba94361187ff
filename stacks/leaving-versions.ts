import type { ClusterClient } from "../fleet/cluster-client.ts";
import { confirmRules, type ExpectedRules } from "../fleet/confirm-rules.ts";
import { explain } from "../fleet/explain.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import type { ServiceName } from "../lib/names.ts";
import { routing } from "../lib/routing/index.ts";
import { strictOptions } from "./confirm-options.ts";
import { hostsOf } from "./canaries.ts";
import type { ReleaseSettings } from "./config.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";

interface Change extends ExpectedRules {
  readonly cluster: string;
  readonly name: ServiceName;
  readonly replacing: string | undefined;
}

/**
 * The routes of a service without the versions that get no subset any more.
 *
 * @param others further versions that keep theirs. @default none
 */
function changeOf(
  { cluster, key, service, wanted, deployed, rises }: PlannedRoute,
  clusterDomain: string,
  others: readonly string[] = [],
): readonly Change[] {
  // What rises is only written to the state that has been checked.
  if (!deployed || rises) return [];
  const own = [wanted.stable, wanted.canary].filter((version) => version !== undefined);
  const kept = [...own, ...others];
  const named = routing.versionsIn(deployed.rules, kept);
  const gone = named.filter((version) => !kept.includes(version));
  const rules = gone.reduce((left, version) => routing.without(left, version), deployed.rules);
  // A route of which nothing would be left is replaced as a whole.
  if (gone.length === 0 || routing.versionsIn(rules).length === 0) return [];
  const hosts = hostsOf(service, clusterDomain);
  const name = { service: service.name, namespace: service.namespace };
  return [{ cluster, key, name, hosts, rules, replacing: deployed.resourceVersion }];
}

/**
 * Takes versions out of the routes, in every Envoy, that are about to have no subset any more. Pulumi updates
 * DestinationRules first: testers, whose requests ask for the old canary, would get errors until their routes follow. No
 * update waits for a cluster in which that does not succeed: it may be the way back.
 *
 * @returns why it has not succeeded, by cluster
 */
export async function takeLeavingVersionsOut(
  { routes, kept }: Pick<ReleasePlan, "routes" | "kept">,
  { mesh, safety }: Pick<ReleaseSettings, "mesh" | "safety">,
  clusters: readonly ClusterClient[],
): Promise<ReadonlyMap<string, string>> {
  const changes = routes.flatMap((route) =>
    changeOf(route, mesh.clusterDomain, kept?.versions[route.key]),
  );
  const failed = await Promise.all(
    clusters.map(async (cluster) => {
      const own = changes.filter((change) => change.cluster === cluster.name);
      if (own.length === 0) return [];
      try {
        await Promise.all(
          own.map(async ({ name, rules, replacing }) =>
            clusterRouting.write(cluster, name, rules, { replacing }),
          ),
        );
        await confirmRules(cluster, own, strictOptions(safety));
        return [];
      } catch (error) {
        return [[cluster.name, explain(error)] as const];
      }
    }),
  );
  return new Map(failed.flat());
}
