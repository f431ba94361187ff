import { allOf } from "../lib/enumerate.ts";
import { routing } from "../lib/routing/index.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { Behind } from "./ask-pods.ts";
import { confirmEvery, type ConfirmOptions } from "./confirm-every.ts";
import type { EnvoyRoutes } from "./routing/cluster-routing.ts";
import { clusterRouting } from "./routing/index.ts";

/** What every Envoy that routes to a service must serve. */
export interface Expected {
  /** Names under which clients know the service. */
  readonly hosts: readonly string[];
  readonly canary: string;
  readonly weight: number;
}

/** What an Envoy serves of a service. What it holds beside that would be too much to keep of thousands of routes. */
export type ConfirmedRoutes = Omit<EnvoyRoutes, "virtualHosts">;

/** What the Envoys of a cluster serve. */
export interface ConfirmedWeights {
  /** For each service the routes of those that were asked. */
  readonly routes: readonly (readonly ConfirmedRoutes[])[];
  /** How many others have acknowledged the weights to their istiod. */
  readonly acknowledged: number;
  /** Who was left out, in words. @default nobody */
  readonly leftOut?: string | undefined;
}

/**
 * Waits until every Envoy of a cluster that routes to the services serves their weights. Each is asked once for all
 * services.
 *
 * @throws naming those that do not, or do not answer
 */
export async function confirmWeights(
  cluster: ClusterClient,
  services: readonly Expected[],
  options: ConfirmOptions,
): Promise<ConfirmedWeights> {
  if (services.length === 0) return { routes: [], acknowledged: 0 };
  const hosts = services.map((service) => service.hosts);
  const weights = new Set(services.map(({ canary, weight }) => `${canary} at ${weight} %`));
  const { values, ...others } = await confirmEvery(
    cluster,
    `every Envoy of ${cluster.name} to serve ${allOf([...weights])}`,
    hosts.map(([host = ""]) => host),
    async (pod) => {
      const routes = await clusterRouting.served(cluster, pod, hosts);
      const late = services.flatMap((service, i) => {
        const objection = behindIn(service, routes[i]);
        if (objection === undefined) return [];
        return [services.length > 1 ? `${objection} for ${service.hosts[0] ?? ""}` : objection];
      });
      if (late.length > 0) throw new Behind(`serves ${allOf(late)}`);
      return { value: routes.map(confirmed), holds: routes.map((each) => each !== undefined) };
    },
    options,
  );
  return {
    routes: services.map((_, i) => values.flatMap((routes) => routes[i] ?? [])),
    ...others,
  };
}

function confirmed(routes: EnvoyRoutes | undefined): ConfirmedRoutes | undefined {
  if (!routes) return undefined;
  const { cluster, pod, weights, tables, updatedAt } = routes;
  return { cluster, pod, weights, tables, updatedAt };
}

/** What an Envoy serves instead of what it must serve: `0 % on 9090`. */
function behindIn({ canary, weight }: Expected, routes: EnvoyRoutes | undefined) {
  const tables = Object.entries(routes?.tables ?? {});
  // A port that is behind is as bad as all of them.
  for (const [table, weights] of tables) {
    const served = routing.shareIn(weights, canary);
    if (served !== weight) return `${served} %${tables.length > 1 ? ` on ${table}` : ""}`;
  }
  return undefined;
}

/** Asks every Envoy of a cluster, however many there are, until all that route to a service serve its weight. */
export async function confirmWeight(
  cluster: ClusterClient,
  expected: Expected,
  timeoutMs: number,
): Promise<readonly ConfirmedRoutes[]> {
  const askEnvoys = Number.POSITIVE_INFINITY;
  const { routes } = await confirmWeights(cluster, [expected], { timeoutMs, askEnvoys });
  return routes.flat();
}
