import type { V1Pod } from "@kubernetes/client-node";
import { z } from "zod";

import { ADMIN_PORT } from "../../../lib/names.ts";
import { hostOf, subsetOf } from "../../../lib/routing/istio/envoy-names.ts";
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
        match: z.looseObject({
          headers: z.array(z.unknown()).optional(),
          prefix: z.string().optional(),
        }),
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
          // Of all services that the proxy knows: only those that somebody asks for are looked at closely.
          virtual_hosts: z.array(z.unknown()).default([]),
        }),
      }),
    )
    .default([]),
});

/** A route table of a proxy, with some of its virtual hosts. */
interface RouteTable {
  readonly name: string;
  readonly updatedAt: Date;
  readonly virtualHosts: readonly VirtualHost[];
}

export type VirtualHost = z.infer<typeof virtualHost>;

/** The weights by subset of what a route does. */
export function weightsOf(action: VirtualHost["routes"][number]["route"]): Record<string, number> {
  if (action?.cluster !== undefined) return { [subsetOf(action.cluster)]: 100 };
  return Object.fromEntries(
    (action?.weighted_clusters?.clusters ?? []).map(({ name, weight }) => [subsetOf(name), weight]),
  );
}

type Route = VirtualHost["routes"][number];

/** Ways to match a path in an Envoy's route, beside `prefix`, which is `/` for any path. */
const PATH_MATCHES = ["path", "safe_regex", "path_separated_prefix", "path_match_policy"];

/** Keys of a match that say nothing of the request but its path, by which `anyPath` goes, and its headers. */
const PLAIN_KEYS = ["prefix", "case_sensitive", "headers"];

const authorityMatch = z.strictObject({
  name: z.literal(":authority"),
  string_match: z.looseObject({ prefix: z.string().optional(), exact: z.string().optional() }),
});

/** What crossingPrefixes has found: it is asked for each route of thousands, with the same hosts. */
const crossings = new WeakMap<readonly string[], readonly string[]>();

/** How the hosts begin that name a cluster: every virtual host has the routes for all of them, by their authority. */
function crossingPrefixes(hosts: readonly string[]): readonly string[] {
  const known = crossings.get(hosts);
  if (known) return known;
  const found = hosts.flatMap((host) => {
    const [service, domain] = host.split(".svc.");
    return domain === undefined ? [] : [`${service ?? ""}.`];
  });
  crossings.set(hosts, found);
  return found;
}

/**
 * Whether a route takes every request of its host: a match on one of the service's own `hosts` is no condition, one on
 * any other name is.
 */
function isPlain({ match }: Route, hosts: readonly string[]): boolean {
  const crossing = crossingPrefixes(hosts);
  return (
    Object.keys(match).every((key) => PLAIN_KEYS.includes(key)) &&
    (match.headers ?? []).every((header) => {
      const parsed = authorityMatch.safeParse(header);
      if (!parsed.success) return false;
      const name = parsed.data.string_match.exact ?? parsed.data.string_match.prefix;
      return (
        name !== undefined &&
        (hosts.includes(name) || crossing.some((service) => name.startsWith(service)))
      );
    })
  );
}

/** Whether a route sends requests to the service with these hosts. */
function leadsTo({ route }: Route, hosts: readonly string[]): boolean {
  const crossing = crossingPrefixes(hosts);
  return [
    route?.cluster ?? "",
    ...(route?.weighted_clusters?.clusters ?? []).map(({ name }) => name),
  ]
    .map(hostOf)
    .some((to) => hosts.includes(to) || crossing.some((service) => to.startsWith(service)));
}

/**
 * The routes of a virtual host that are about the service with these hosts. An ingress gateway joins all
 * VirtualServices of one host, so there may be others' beside them: for paths, which no route of the service asks for,
 * or to other services. One that takes all requests before the service's own does is kept, since it hides that.
 */
export function ownRoutes(routes: readonly Route[], hosts: readonly string[]): Route[] {
  const leadsHere = (route: Route) => leadsTo(route, hosts);
  const anyPath = routes.filter(
    ({ match }) =>
      (match.prefix ?? "/") === "/" && PATH_MATCHES.every((path) => match[path] === undefined),
  );
  const first = anyPath.findIndex((route) => isPlain(route, hosts) && leadsHere(route));
  return anyPath.filter(
    (route, i) => leadsHere(route) || (isPlain(route, hosts) && (first === -1 || i < first)),
  );
}

/** The weights by subset of the route that requests without a matching header take. */
export function defaultWeights(
  { routes }: VirtualHost,
  hosts: readonly string[],
): Record<string, number> {
  return weightsOf(routes.find((route) => isPlain(route, hosts))?.route);
}

/** Whether a virtual host serves one of the hosts. */
function servesAny(virtualHostAsSent: unknown, hosts: ReadonlySet<string>): boolean {
  const domains: unknown =
    typeof virtualHostAsSent === "object" && virtualHostAsSent !== null
      ? Reflect.get(virtualHostAsSent, "domains")
      : undefined;
  return Array.isArray(domains) && domains.some((domain) => hosts.has(String(domain)));
}

/** The route tables that a proxy has from its istiod, with the virtual hosts that serve any of `hosts`. */
async function routeTablesOf(
  cluster: ClusterClient,
  pod: V1Pod,
  hosts: readonly string[],
): Promise<readonly RouteTable[]> {
  const { configs } = routeTables.parse(
    await getJson(cluster, pod, ADMIN_PORT, "/config_dump?resource=dynamic_route_configs"),
  );
  const wanted = new Set(hosts);
  return configs.map(({ last_updated: updatedAt, route_config: { name, virtual_hosts: all } }) => ({
    name,
    updatedAt: new Date(updatedAt),
    virtualHosts: all
      .filter((each) => servesAny(each, wanted))
      .map((each) => virtualHost.parse(each)),
  }));
}

/**
 * How one proxy routes `host` of a service with `hosts`, or undefined if it has no route for it (an east-west gateway,
 * for instance, forwards by SNI).
 */
function routesOf(
  cluster: ClusterClient,
  pod: V1Pod,
  all: readonly RouteTable[],
  host: string,
  hosts: readonly string[],
): EnvoyRoutes | undefined {
  const { namespace, name } = podKey(pod);
  const tables = all.flatMap((table) => {
    const virtualHosts = table.virtualHosts
      // One without routes redirects to HTTPS alone, as a gateway has it for the hosts of others' Gateways.
      .filter(({ domains, routes }) => domains.includes(host) && routes.length > 0)
      .map((each) => ({ ...each, routes: ownRoutes(each.routes, hosts) }));
    const [first] = virtualHosts;
    return first ? [{ table, virtualHosts, weights: defaultWeights(first, hosts) }] : [];
  });
  // On other ports of a gateway others may serve the host, without any route to the service.
  const own = tables.filter(({ virtualHosts }) =>
    virtualHosts.some(({ routes }) => routes.some((route) => leadsTo(route, hosts))),
  );
  const routing = own.length > 0 ? own : tables.slice(0, 1);
  const [first] = routing;
  return (
    first && {
      cluster: cluster.name,
      pod: `${namespace}/${name}`,
      weights: first.weights,
      tables: Object.fromEntries(routing.map(({ table, weights }) => [table.name, weights])),
      // It serves a state of the routes once its last table does.
      updatedAt: new Date(Math.max(...routing.map(({ table }) => table.updatedAt.getTime()))),
      virtualHosts: routing.flatMap(({ virtualHosts }) => virtualHosts),
    }
  );
}

/**
 * How one proxy routes each of the services: the first of its hosts that it has a route for, or undefined if there is
 * none. It is asked once for all of them.
 *
 * @param services the hosts of each
 */
export async function routesOfAll(
  cluster: ClusterClient,
  pod: V1Pod,
  services: readonly (readonly string[])[],
): Promise<readonly (EnvoyRoutes | undefined)[]> {
  const tables = await routeTablesOf(cluster, pod, services.flat());
  return services.map((hosts) => {
    for (const host of hosts) {
      const routes = routesOf(cluster, pod, tables, host, hosts);
      if (routes) return routes;
    }
    return undefined;
  });
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
  const tables = await routeTablesOf(cluster, pod, hosts);
  return Object.fromEntries(
    tables.flatMap(({ name: table, virtualHosts }) =>
      virtualHosts.flatMap((host) => {
        const domains = host.domains.filter((domain) => hosts.includes(domain)).sort();
        const routes = ownRoutes(host.routes, hosts);
        return domains.length > 0 ? [[`${table}/${host.name}`, { ...host, domains, routes }]] : [];
      }),
    ),
  );
}
