import type { V1Pod } from "@kubernetes/client-node";
import { z } from "zod";

import { hostOf, subsetOf } from "../../../lib/routing/istio/envoy-names.ts";
import { hostsPattern, ingressLabel } from "../../../lib/routing/istio/ingress-names.ts";
import { podKey, type ClusterClient } from "../../cluster-client.ts";
import type { EnvoyRoutes } from "../cluster-routing.ts";
import { routeTablesOf, type RouteTable, type VirtualHost } from "./route-tables.ts";

/** The weights by subset of what a route does. */
export function weightsOf(action: VirtualHost["routes"][number]["route"]): Record<string, number> {
  if (action?.cluster !== undefined) return { [subsetOf(action.cluster)]: 100 };
  return Object.fromEntries(
    (action?.weighted_clusters?.clusters ?? []).map(({ name, weight }) => [subsetOf(name), weight]),
  );
}

type Route = VirtualHost["routes"][number];

/** Ways to match a path in an Envoy's route that say which one it is, beside `prefix`, which is `/` for any path. */
const PATHS = ["path", "safe_regex", "path_separated_prefix"];

/** Keys of a match that say nothing else of the request, but for its headers. */
const PLAIN_KEYS = ["prefix", "case_sensitive", "headers"];

const authorityMatch = z.union([
  z.strictObject({
    name: z.literal(":authority"),
    string_match: z.looseObject({ prefix: z.string().optional(), exact: z.string().optional() }),
  }),
  // By which a rule for the mesh leaves hosts of the gateway to others.
  z.strictObject({
    name: z.literal(":authority"),
    string_match: z.strictObject({ safe_regex: z.looseObject({ regex: z.string() }) }),
    invert_match: z.literal(true),
    treat_missing_header_as_empty: z.literal(true),
  }),
]);

const crossingMatch = z.strictObject({
  name: z.literal(":authority"),
  string_match: z.looseObject({ prefix: z.string() }),
});

/** Whether a header of a match is a host's name. Told before it is parsed: thousands of others are not. */
function isAuthority(header: unknown): boolean {
  return (
    typeof header === "object" && header !== null && Reflect.get(header, "name") === ":authority"
  );
}

/** The service of these hosts; its own host, `user-service.user.svc.cluster.local`, is one of them. */
function serviceOf(hosts: readonly string[]): string | undefined {
  return hosts.map((host) => host.split(".svc.")).find(([, domain]) => domain !== undefined)?.[0];
}

/**
 * Remembers what is found in something: each of thousands of routes is compared with the same list of hosts, and many
 * proxies have the same route tables.
 */
function remembered<Of extends object, T>(find: (of: Of) => T): (of: Of) => T {
  const known = new WeakMap<Of, { readonly found: T }>();
  return (of) => {
    const before = known.get(of);
    if (before) return before.found;
    const found = find(of);
    known.set(of, { found });
    return found;
  };
}

/** How the hosts begin that name a cluster: every virtual host has the routes for all of them, by their authority. */
const crossingPrefixes = remembered((hosts: readonly string[]) =>
  hosts.flatMap((host) => {
    const [service, domain] = host.split(".svc.");
    return domain === undefined ? [] : [`${service ?? ""}.`];
  }),
);

/** Those of a service's hosts by which it is known outside. */
const outsideOf = remembered((hosts: readonly string[]) => {
  const inner = crossingPrefixes(hosts);
  return hosts.filter((host) => !inner.some((service) => host.startsWith(service)));
});

/** Whether the headers of a match are no condition for a request to the service's own hosts. */
function hasPlainHeaders({ match }: Route, hosts: readonly string[]): boolean {
  const crossing = crossingPrefixes(hosts);
  const outside = outsideOf(hosts);
  return (match.headers ?? []).every((header) => {
    if (!isAuthority(header)) return false;
    const parsed = authorityMatch.safeParse(header);
    if (!parsed.success) return false;
    if ("invert_match" in parsed.data) {
      return (
        outside.length > 0 && parsed.data.string_match.safe_regex.regex === hostsPattern(outside)
      );
    }
    const name = parsed.data.string_match.exact ?? parsed.data.string_match.prefix;
    return (
      name !== undefined &&
      (hosts.includes(name) || crossing.some((service) => name.startsWith(service)))
    );
  });
}

/**
 * Whether a route takes every request of its host, or every one for its path: a match on one of the service's own
 * `hosts` is no condition, one on any other name is.
 */
function isPlain(route: Route, hosts: readonly string[]): boolean {
  return (
    Object.keys(route.match).every((key) => [...PLAIN_KEYS, ...PATHS].includes(key)) &&
    hasPlainHeaders(route, hosts)
  );
}

function isForAnyPath({ match }: Route): boolean {
  return (
    (match.prefix ?? "/") === "/" &&
    [...PATHS, "path_match_policy"].every((path) => match[path] === undefined)
  );
}

/** Whether a route sends requests to the service with these hosts. */
function leadsTo({ route }: Route, hosts: readonly string[]): boolean {
  // Every virtual host also has the routes for the hosts that name a cluster, matched by their authority.
  const crossing = crossingPrefixes(hosts);
  const isOwn = (name: string) => {
    const to = hostOf(name);
    return hosts.includes(to) || crossing.some((service) => to.startsWith(service));
  };
  return (
    (route?.cluster !== undefined && isOwn(route.cluster)) ||
    route?.weighted_clusters?.clusters.some(({ name }) => isOwn(name)) === true
  );
}

/** Whether a route for some paths is one of the program's, which gives those of a gateway such names. */
function isOwnPath(route: Route, hosts: readonly string[]): boolean {
  const [service = ""] = (serviceOf(hosts) ?? "").split(".");
  return (
    leadsTo(route, hosts) &&
    service !== "" &&
    route.name?.startsWith(`${ingressLabel(service)}-`) === true
  );
}

/** What a match asks of the path: `whole` itself, or `begins` of it; undefined where that is not known. */
function pathOf({ match }: Route): { whole?: string; begins?: string; by: string } {
  const part = z
    .looseObject({
      path: z.string().optional(),
      safe_regex: z.looseObject({ regex: z.string() }).optional(),
      path_separated_prefix: z.string().optional(),
    })
    .parse(match);
  const { path: whole, safe_regex: pattern, path_separated_prefix: segments } = part;
  if (whole !== undefined) return { whole, begins: whole, by: "path" };
  if (segments !== undefined) return { begins: segments, by: "segments" };
  if (pattern !== undefined) return { whole: pattern.regex, by: "regex" };
  return { begins: match.prefix ?? "/", by: "prefix" };
}

/** Whether a route takes all requests that another one, after it, asks for by the path, as far as that can be told. */
function hides(first: Route, second: Route): boolean {
  const [one, other] = [pathOf(first), pathOf(second)];
  if (one.by === "prefix" && other.begins !== undefined) {
    return other.begins.startsWith(one.begins ?? "");
  }
  if (one.by === "segments" && other.begins !== undefined) {
    return other.begins === one.begins || other.begins.startsWith(`${one.begins ?? ""}/`);
  }
  if (one.by === "regex") return [".*", "/.*", other.whole].includes(one.whole);
  return one.begins === "/" || (one.by === other.by && one.whole === other.whole);
}

/**
 * The routes of a virtual host that are about the service with these hosts. An ingress gateway joins all
 * VirtualServices of one host, so there may be others' beside them: for paths that are not the service's, or to other
 * services. One that takes all requests before a route of the service does is kept, since it hides that.
 */
export function ownRoutes(routes: readonly Route[], hosts: readonly string[]): Route[] {
  const isOwn = routes.map((route) =>
    isForAnyPath(route) ? leadsTo(route, hosts) : isOwnPath(route, hosts),
  );
  if (!isOwn.includes(false)) return [...routes];
  const own = routes.map((route, i) => isOwn[i] === true && isPlain(route, hosts));
  return routes.filter(
    (route, i) =>
      isOwn[i] === true ||
      (isPlain(route, hosts) &&
        (own.includes(true)
          ? routes.some((each, j) => j > i && own[j] === true && hides(route, each))
          : isForAnyPath(route))),
  );
}

/**
 * The weights by subset of the route that requests without a matching header take, on the service's paths.
 */
export function defaultWeights(
  { routes }: VirtualHost,
  hosts: readonly string[],
): Record<string, number> {
  const all = routes.filter((route) => isPlain(route, hosts));
  // A host that names a cluster which is away leads elsewhere than the others.
  const own = all.filter((route) => !hosts.every((host) => isElsewhere(route, host)));
  const plain = own.length > 0 ? own : all;
  // What hides one of the service's routes is there for that alone.
  return weightsOf((plain.find((route) => !leadsTo(route, hosts)) ?? plain[0])?.route);
}

/** Whether a route table is a gateway's: Istio names it by protocol and port, as `http.8080`; a sidecar's by its port. */
export function isOfGateway(table: string): boolean {
  return /^https?\./.test(table);
}

/** Whether no request for the host takes a route: it is for a host that names a cluster, which has the same routes. */
function isElsewhere({ match }: Route, host: string): boolean {
  return (match.headers ?? []).some((header) => {
    if (!isAuthority(header)) return false;
    const { success, data } = crossingMatch.safeParse(header);
    return success && !host.startsWith(data.string_match.prefix);
  });
}

/**
 * Whether a virtual host of a sidecar is another service's. A sidecar joins no rules: of services that share a host of
 * the gateway it takes the rules of one.
 */
export function isOthers(
  table: string,
  domains: readonly string[],
  routes: readonly Route[],
  hosts: readonly string[],
): boolean {
  const inner = crossingPrefixes(hosts);
  return (
    !isOfGateway(table) &&
    !domains.some((domain) => inner.some((service) => domain.startsWith(service))) &&
    !routes.some((route) => leadsTo(route, hosts))
  );
}

/** How requests for a service are routed by the tables of a proxy. */
interface Found extends Pick<EnvoyRoutes, "weights" | "tables" | "virtualHosts"> {
  /** Indices of those tables. */
  readonly at: readonly number[];
}

/**
 * How route tables route `host` of a service with `hosts`, or undefined if they have no route for it (those of an
 * east-west gateway, for instance, which forwards by SNI).
 */
function routesOf(
  all: readonly RouteTable[],
  host: string,
  hosts: readonly string[],
): Found | undefined {
  const tables = all.flatMap((table, at) => {
    const virtualHosts = table.virtualHosts
      // One without routes redirects to HTTPS alone, as a gateway has it for the hosts of others' Gateways.
      .filter(({ domains, routes }) => domains.includes(host) && routes.length > 0)
      .filter(({ routes }) => !isOthers(table.name, [host], routes, hosts))
      .map((each) => ({ ...each, routes: ownRoutes(each.routes, hosts) }));
    const [first] = virtualHosts;
    if (!first) return [];
    const routes = isOfGateway(table.name)
      ? first.routes.filter((route) => !isElsewhere(route, host))
      : first.routes;
    return [{ table, at, virtualHosts, weights: defaultWeights({ ...first, routes }, hosts) }];
  });
  // On other ports of a gateway others may serve the host, without any route to the service.
  const own = tables.filter(({ virtualHosts }) =>
    virtualHosts.some(({ routes }) => routes.some((route) => leadsTo(route, hosts))),
  );
  const routing = own.length > 0 ? own : tables.slice(0, 1);
  const [first] = routing;
  return (
    first && {
      weights: first.weights,
      tables: Object.fromEntries(routing.map(({ table, weights }) => [table.name, weights])),
      virtualHosts: Object.fromEntries(
        routing.flatMap(({ table, virtualHosts }) =>
          virtualHosts.map((each) => [`${table.name}/${each.name}`, each] as const),
        ),
      ),
      at: routing.map(({ at }) => at),
    }
  );
}

/** For each service the routes of the first of its hosts that the tables have a route for. */
const servicesIn = remembered((tables: readonly RouteTable[]) =>
  remembered((services: readonly (readonly string[])[]) =>
    services.map((hosts) => {
      for (const host of hosts) {
        const routes = routesOf(tables, host, hosts);
        if (routes) return routes;
      }
      return undefined;
    }),
  ),
);

/** The virtual hosts that route requests to any of the hosts, by route table and name. */
const hostsIn = remembered((tables: readonly RouteTable[]) =>
  remembered((hosts: readonly string[]): Readonly<Record<string, VirtualHost>> =>
    Object.fromEntries(
      tables.flatMap(({ name: table, virtualHosts }) =>
        virtualHosts.flatMap((host) => {
          const domains = host.domains.filter((domain) => hosts.includes(domain)).sort();
          const routes = ownRoutes(host.routes, hosts);
          return domains.length > 0 && !isOthers(table, domains, routes, hosts)
            ? [[`${table}/${host.name}`, { ...host, domains, routes }]]
            : [];
        }),
      ),
    ),
  ),
);

/**
 * How one proxy routes each of the services: the first of its hosts that it has a route for, or undefined if there is
 * none. It is asked once for all of them.
 *
 * @param services the hosts of each; the same list for all proxies saves reading equal answers again
 */
export async function routesOfAll(
  cluster: ClusterClient,
  pod: V1Pod,
  services: readonly (readonly string[])[],
): Promise<readonly (EnvoyRoutes | undefined)[]> {
  const { tables: all, updatedAt } = await routeTablesOf(cluster, pod, services);
  const { namespace, name } = podKey(pod);
  return servicesIn(all)(services).map((found) => {
    if (!found) return undefined;
    const { weights, tables, virtualHosts, at } = found;
    return {
      cluster: cluster.name,
      pod: `${namespace}/${name}`,
      weights,
      tables,
      // It serves a state of the routes once its last table does.
      updatedAt: new Date(Math.max(...at.map((i) => updatedAt[i]?.getTime() ?? 0))),
      virtualHosts,
    };
  });
}

/**
 * Everything by which one proxy routes requests to any of `hosts`, by route table and virtual host.
 * Of a virtual host's names only those asked for are kept: the others differ from namespace to
 * namespace, and hold addresses.
 *
 * @param hosts the same list for all proxies saves reading equal answers again
 */
export async function virtualHostsOf(
  cluster: ClusterClient,
  pod: V1Pod,
  hosts: readonly string[],
): Promise<Readonly<Record<string, VirtualHost>>> {
  const { tables } = await routeTablesOf(cluster, pod, hosts);
  return hostsIn(tables)(hosts);
}
