import type { V1Pod } from "@kubernetes/client-node";
import { z } from "zod";

import { ADMIN_PORT } from "../../../lib/names.ts";
import { subsetOf } from "../../../lib/routing/istio/envoy-names.ts";
import { podKey, type ClusterClient } from "../../cluster-client.ts";
import { getJson } from "../../pod-http.ts";
import type { EnvoyRoutes } from "../cluster-routing.ts";

const routeAction = z.looseObject({
  cluster: z.string().optional(),
  request_mirror_policies: z.array(z.unknown()).optional(),
  weighted_clusters: z
    .looseObject({ clusters: z.array(z.looseObject({ name: z.string(), weight: z.number() })) })
    .optional(),
});

const virtualHost = z.looseObject({
  name: z.string(),
  domains: z.array(z.string()),
  routes: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        match: z.looseObject({ headers: z.array(z.unknown()).optional() }),
        route: routeAction.optional(),
      }),
    )
    .default([]),
});

/** Answer to `/config_dump?resource=dynamic_route_configs`: one entry for each RDS route table. */
const routeTables = z.looseObject({
  configs: z
    .array(
      z.looseObject({
        last_updated: z.string(),
        route_config: z.looseObject({
          name: z.string().default(""),
          virtual_hosts: z.array(virtualHost).default([]),
        }),
      }),
    )
    .default([]),
});

export type VirtualHost = z.infer<typeof virtualHost>;

/** The weights by subset of what a route does. */
export function weightsOf(action: VirtualHost["routes"][number]["route"]): Record<string, number> {
  if (action?.cluster !== undefined) return { [subsetOf(action.cluster)]: 100 };
  return Object.fromEntries(
    (action?.weighted_clusters?.clusters ?? []).map(({ name, weight }) => [subsetOf(name), weight]),
  );
}

/** The weights by subset of the route that requests without a matching header take. */
export function defaultWeights(host: VirtualHost): Record<string, number> {
  const plain = host.routes.find(({ match }) =>
    (match.headers ?? []).every((header) => JSON.stringify(header).includes(":authority")),
  );
  return weightsOf(plain?.route);
}

/** The route tables that a proxy has from its istiod. */
async function routeTablesOf(cluster: ClusterClient, pod: V1Pod) {
  const { configs } = routeTables.parse(
    await getJson(cluster, pod, ADMIN_PORT, "/config_dump?resource=dynamic_route_configs"),
  );
  return configs;
}

/**
 * How one proxy routes `host`, or undefined if it has no route for it (an east-west gateway, for
 * instance, forwards by SNI).
 */
export async function routesOf(
  cluster: ClusterClient,
  pod: V1Pod,
  host: string,
): Promise<EnvoyRoutes | undefined> {
  const { namespace, name } = podKey(pod);
  for (const table of await routeTablesOf(cluster, pod)) {
    const virtualHosts = table.route_config.virtual_hosts.filter(({ domains }) =>
      domains.includes(host),
    );
    const [first] = virtualHosts;
    if (!first) continue;
    return {
      cluster: cluster.name,
      pod: `${namespace}/${name}`,
      weights: defaultWeights(first),
      updatedAt: new Date(table.last_updated),
      virtualHosts,
    };
  }
  return undefined;
}

/** How one proxy routes the first of `hosts` that it has a route for, or undefined if there is none. */
export async function routesOfAny(
  cluster: ClusterClient,
  pod: V1Pod,
  hosts: readonly string[],
): Promise<EnvoyRoutes | undefined> {
  for (const host of hosts) {
    const routes = await routesOf(cluster, pod, host);
    if (routes) return routes;
  }
  return undefined;
}

/**
 * Everything by which one proxy routes requests to any of `hosts`, by route table and virtual host.
 * Of a virtual host's names only those asked for are kept: the others differ from namespace to
 * namespace, and hold addresses.
 */
export async function virtualHostsOf(
  cluster: ClusterClient,
  pod: V1Pod,
  hosts: readonly string[],
): Promise<Readonly<Record<string, VirtualHost>>> {
  const tables = await routeTablesOf(cluster, pod);
  return Object.fromEntries(
    tables.flatMap(({ route_config: { name: table, virtual_hosts: all } }) =>
      all.flatMap((host) => {
        const domains = host.domains.filter((domain) => hosts.includes(domain)).sort();
        return domains.length > 0 ? [[`${table}/${host.name}`, { ...host, domains }]] : [];
      }),
    ),
  );
}
