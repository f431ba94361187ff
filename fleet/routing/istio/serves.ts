import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { durationMs } from "../../../lib/duration.ts";
import {
  virtualServiceSpec,
  type HeaderChanges,
} from "../../../lib/routing/istio/virtual-service-spec.ts";
import { subsetOf } from "../../../lib/routing/istio/envoy-names.ts";
import type { EnvoyRouting } from "../../../lib/routing/differences.ts";
import { isOfGateway, isOthers, ownRoutes, weightsOf } from "./envoy.ts";
import type { VirtualHost } from "./route-tables.ts";

const headerMatch = z.looseObject({
  name: z.string(),
  invert_match: z.boolean().default(false),
  string_match: z
    .looseObject({
      exact: z.string().optional(),
      safe_regex: z.looseObject({ regex: z.string() }).optional(),
    })
    .optional(),
});
const pathMatch = z.looseObject({
  path: z.string().optional(),
  prefix: z.string().default("/"),
  safe_regex: z.looseObject({ regex: z.string() }).optional(),
});
const policy = z.looseObject({
  prefix_rewrite: z.string().optional(),
  regex_rewrite: z
    .looseObject({ pattern: z.looseObject({ regex: z.string() }), substitution: z.string() })
    .optional(),
  host_rewrite_literal: z.string().optional(),
  timeout: z.string().optional(),
  retry_policy: z.looseObject({ num_retries: z.number().default(1) }).optional(),
});
const addedHeaders = z
  .array(
    z.looseObject({
      header: z.looseObject({ key: z.string(), value: z.string() }),
      append_action: z.string().optional(),
    }),
  )
  .default([]);
const heldChange = z.looseObject({
  request_headers_to_add: addedHeaders,
  request_headers_to_remove: z.array(z.string()).default([]),
  response_headers_to_add: addedHeaders,
  response_headers_to_remove: z.array(z.string()).default([]),
});
const mirrorPolicy = z.looseObject({
  cluster: z.string(),
  runtime_fraction: z.looseObject({ default_value: z.looseObject({ numerator: z.number() }) }),
});

/** What a rule does, in words that Istio and Envoy share. */
interface Rule {
  readonly name: string | undefined;
  /** By name; `no NAME` is one that must not be like that. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Which paths it is for. @default all */
  readonly path: string | undefined;
  /** What path and host become. */
  readonly rewrite: readonly (string | undefined)[];
  readonly weights: Readonly<Record<string, number>>;
  /** What happens to the headers of requests for each subset, and of responses, one line each. */
  readonly changes: Readonly<Record<string, readonly string[]>>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly mirror: { readonly subset: string; readonly percent: number } | undefined;
}

/** Envoy is not told of versions that get nothing. */
function shared(weights: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0));
}

type Values = Readonly<Record<string, string>>;

/** Changes of headers as lines, in an order of their own. */
function lines(what: string, set: Values, add: Values, remove: readonly string[]): string[] {
  return [
    ...Object.entries(set).map(([name, value]) => `${what}${name}: ${value}`),
    ...Object.entries(add).map(([name, value]) => `${what}also ${name}: ${value}`),
    ...remove.map((name) => `${what}no ${name}`),
  ];
}

/** What a rule and its destination do to headers. */
function wantedChanges(all: readonly (HeaderChanges | undefined)[]): string[] {
  return all
    .flatMap(({ request, response } = {}) => [
      ...lines("", request?.set ?? {}, request?.add ?? {}, request?.remove ?? []),
      ...lines("response ", response?.set ?? {}, response?.add ?? {}, response?.remove ?? []),
    ])
    .sort();
}

/** The rules of a VirtualService as Envoys of gateways have them, or of sidecars. */
function wantedRules(spec: unknown, gateway: boolean): Rule[] {
  return virtualServiceSpec.parse(spec).http.flatMap((rule) =>
    (rule.match ?? [{}])
      .filter(({ gateways }) => gateways?.some((name) => (name === "mesh") !== gateway) ?? true)
      .map(({ headers = {}, withoutHeaders = {}, uri }) => ({
        name: rule.name,
        headers: Object.fromEntries([
          ...Object.entries(headers).map(([name, is]) => [name, is.exact ?? is.regex] as const),
          ...Object.entries(withoutHeaders).map(
            ([name, is]) => [`no ${name}`, is.exact ?? is.regex] as const,
          ),
        ]),
        path: uri && Object.entries(uri).map(String).join(" "),
        rewrite: [
          rule.rewrite?.uri,
          rule.rewrite?.uriRegexRewrite?.match,
          rule.rewrite?.uriRegexRewrite?.rewrite,
          rule.rewrite?.authority,
        ],
        weights: shared(
          Object.fromEntries(
            rule.route.map((entry) => [entry.destination.subset ?? "", entry.weight ?? 100]),
          ),
        ),
        changes: Object.fromEntries(
          rule.route.flatMap(({ destination: { subset = "" }, weight = 100, headers: own }) => {
            const changes = wantedChanges([rule.headers, own]);
            return weight > 0 && changes.length > 0 ? [[subset, changes] as const] : [];
          }),
        ),
        timeoutMs: durationMs(rule.timeout ?? "0s"),
        retries: rule.retries?.attempts ?? 0,
        mirror: rule.mirror && {
          subset: rule.mirror.subset ?? "",
          percent: rule.mirrorPercentage?.value ?? 100,
        },
      })),
  );
}

/** The same as an Envoy has it. */
function changeLines(of: unknown): string[] {
  const held = heldChange.parse(of);
  const values = (all: z.infer<typeof addedHeaders>, sets: boolean): Values =>
    Object.fromEntries(
      all
        .filter(({ append_action: action }) => (action === "OVERWRITE_IF_EXISTS_OR_ADD") === sets)
        .map(({ header }) => [header.key, header.value]),
    );
  const {
    request_headers_to_add: request,
    request_headers_to_remove: fromRequest,
    response_headers_to_add: response,
    response_headers_to_remove: fromResponse,
  } = held;
  return [
    ...lines("", values(request, true), values(request, false), fromRequest),
    ...lines("response ", values(response, true), values(response, false), fromResponse),
  ];
}

/** Envoy has the changes on the route where there is one destination, and else on the route and on each of them. */
function heldChanges(rule: VirtualHost["routes"][number]): Rule["changes"] {
  const { route } = rule;
  const destinations =
    route?.weighted_clusters?.clusters ??
    (route?.cluster === undefined ? [] : [{ name: route.cluster }]);
  return Object.fromEntries(
    destinations.flatMap((destination) => {
      const own = [...changeLines(rule), ...changeLines(destination)].sort();
      return own.length > 0 ? [[subsetOf(destination.name), own] as const] : [];
    }),
  );
}

function heldPath(match: unknown): string | undefined {
  const { path, prefix, safe_regex: pattern } = pathMatch.parse(match);
  if (path !== undefined) return `exact,${path}`;
  if (pattern) return `regex,${pattern.regex}`;
  return prefix === "/" ? undefined : `prefix,${prefix}`;
}

function heldRules(routes: VirtualHost["routes"]): Rule[] {
  return routes.map((rule) => {
    const { name, match, route } = rule;
    const headers = z.array(headerMatch).parse(match.headers ?? []);
    const { timeout, retry_policy: retries, ...rewrite } = policy.parse(route ?? {});
    const [mirror] = z.array(mirrorPolicy).parse(route?.request_mirror_policies ?? []);
    return {
      name,
      headers: Object.fromEntries(
        headers
          .filter((header) => header.name !== ":authority" || header.invert_match)
          .map((header) => [
            header.invert_match ? `no ${header.name}` : header.name,
            header.string_match?.exact ?? header.string_match?.safe_regex?.regex,
          ]),
      ),
      path: heldPath(match),
      rewrite: [
        rewrite.prefix_rewrite,
        rewrite.regex_rewrite?.pattern.regex,
        rewrite.regex_rewrite?.substitution,
        rewrite.host_rewrite_literal,
      ],
      weights: shared(weightsOf(route)),
      changes: heldChanges(rule),
      timeoutMs: durationMs(timeout ?? "0s"),
      retries: retries?.num_retries ?? 0,
      mirror: mirror && {
        subset: subsetOf(mirror.cluster),
        // Istio writes millionths.
        percent: mirror.runtime_fraction.default_value.numerator / 10_000,
      },
    };
  });
}

/** The hosts to which the rules of a VirtualService lead: the service's own, and those that name a cluster. */
function destinationsOf(spec: unknown): readonly string[] {
  const hosts = virtualServiceSpec
    .parse(spec)
    .http.flatMap(({ route }) => route.map(({ destination }) => destination.host ?? ""));
  return [...new Set(hosts)];
}

/** Whether an Envoy has the rules of a service in a virtual host, which it may have from other services too. */
function isServed(table: string, { domains, routes }: VirtualHost, spec: unknown): boolean {
  const hosts = destinationsOf(spec);
  return (
    isOthers(table, domains, routes, hosts) ||
    isDeepStrictEqual(heldRules(ownRoutes(routes, hosts)), wantedRules(spec, isOfGateway(table)))
  );
}

/** Envoys that do not serve the rules of a VirtualService yet. */
export function behind(spec: unknown, envoys: readonly EnvoyRouting[]): readonly string[] {
  return envoys
    .filter(({ virtualHosts }) =>
      Object.entries(virtualHosts).some(
        ([table, host]) => !isServed(table, host as VirtualHost, spec),
      ),
    )
    .flatMap(({ of }) => of);
}
