import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { durationMs } from "../../duration.ts";
import { hostsPattern } from "./ingress-names.ts";

/** A service as rules of others name it. */
export interface AdoptionScope {
  /** Namespace of the object: Istio completes short names by it. */
  readonly namespace: string;
  /** The service's full host in the mesh. */
  readonly ownHost: string;
  /** Hosts of the ingress gateway that lead to it. */
  readonly outside: readonly string[];
  /** The Service's port, if it has only one. */
  readonly port?: number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const fields = z.record(z.string(), z.unknown());
const list = z.array(fields);
const names = z.array(z.string());

/** What Istio does about failed requests where a rule says nothing. (Istio: route/retry.DefaultPolicy) */
const DEFAULT_RETRIES = {
  attempts: 2,
  retryOn: "connect-failure,refused-stream,unavailable,cancelled",
} as const;

/** Where the config says what a field of the objects does. */
const KEYS: Readonly<Record<string, string>> = {
  hosts: "ingressHosts",
  gateways: "ingressHosts, ingressGateways",
  match: "matches, ingressPaths",
  route: "stable, canary and weight",
  timeout: "timeout",
  retries: "retries",
  corsPolicy: "corsPolicy",
  mirror: "mirrorPercent",
  rewrite: "rewrite",
  headers: "headers",
  trafficPolicy: "trafficPolicy",
  labels: "versionLabel",
};

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The differences of two sets of fields, each with where the config says it, or that nothing there does. */
function differences(path: string, live: Fields, planned: Fields): string[] {
  return [...new Set([...Object.keys(live), ...Object.keys(planned)])].flatMap((name) => {
    const [is, willBe] = [live[name], planned[name]];
    if (isDeepStrictEqual(is, willBe)) return [];
    const key = KEYS[name];
    const said = `${path}${name} is ${show(is)}`;
    return key === undefined
      ? [`${said}, which this program cannot express`]
      : [`${said}, but the config makes it ${show(willBe)} (${key})`];
  });
}

function without(all: Fields, name: string): Fields {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
}

function fullHost(host: string, { namespace, ownHost }: AdoptionScope): string {
  const [service = "", home = ""] = ownHost.split(".");
  const short = [`${service}.${home}`, `${service}.${home}.svc`];
  return short.includes(host) || (host === service && namespace === home) ? ownHost : host;
}

/** Visible to every namespace is Istio's default. */
function exportedTo(value: unknown): unknown {
  return isDeepStrictEqual(value, ["*"]) ? undefined : value;
}

function conditions(match: unknown): readonly Fields[] | undefined {
  const each = list.safeParse(match ?? []);
  if (!each.success) return undefined;
  const all = each.data.map(({ uri, ...more }) => ({
    ...without(more, "name"),
    ...(uri !== undefined && !isDeepStrictEqual(uri, { prefix: "/" }) && { uri }),
  }));
  // One that asks for nothing is met by every request.
  return all.length === 0 || all.some((one) => Object.keys(one).length === 0) ? undefined : all;
}

/** A destination in words: `all pods`, `v2`, or with what else it says. */
function destinationText(destination: unknown, scope: AdoptionScope, more: Fields = {}): string {
  const { host, subset, port, ...others } = fields.catch({}).parse(destination);
  const there = typeof host === "string" ? fullHost(host, scope) : show(host);
  const isOnlyPort =
    port === undefined ||
    (scope.port !== undefined && isDeepStrictEqual(port, { number: scope.port }));
  const rest = { ...others, ...more };
  return [
    typeof subset === "string" && subset !== "" ? subset : "all pods",
    ...(there === scope.ownHost ? [] : [`of ${there}`]),
    ...(isOnlyPort ? [] : [`on port ${show(port)}`]),
    ...(Object.keys(rest).length === 0 ? [] : [`with ${JSON.stringify(rest)}`]),
  ].join(" ");
}

/** Where requests go, in words: `90 % to v1, 10 % to v2`. One without a share is left out. */
function routeText(route: unknown, scope: AdoptionScope): string {
  const all = list.catch([]).parse(route ?? []);
  const weights = all.map(({ weight }) =>
    typeof weight === "number" ? weight : all.length === 1 ? 100 : 0,
  );
  const sum = weights.reduce((one, other) => one + other, 0);
  return all
    .flatMap(({ destination, ...more }, i) => {
      const share = all.length === 1 ? 100 : ((weights[i] ?? 0) * 100) / sum;
      return share === 0
        ? []
        : [`${share} % to ${destinationText(destination, scope, without(more, "weight"))}`];
    })
    .sort()
    .join(", ");
}

function milliseconds(duration: unknown): number | undefined {
  const length = typeof duration === "string" ? durationMs(duration) : 0;
  return length === 0 ? undefined : length;
}

function retriesOf(retries: unknown): Fields {
  const { attempts, retryOn, perTryTimeout, ...more } = fields
    .catch({})
    .parse(retries ?? DEFAULT_RETRIES);
  if (attempts === 0) return { attempts };
  const on = typeof retryOn === "string" && retryOn !== "" ? retryOn : DEFAULT_RETRIES.retryOn;
  const limit = milliseconds(perTryTimeout);
  return {
    attempts,
    retryOn: on.split(",").sort().join(","),
    ...(limit !== undefined && { perTryTimeout: `${limit}ms` }),
    ...more,
  };
}

/** What a rule does to requests, whichever way it is written. */
function ruleOf(rule: Fields, scope: AdoptionScope): Fields {
  const { match, route, timeout, retries, mirror, mirrorPercentage, ...more } = rule;
  const limit = milliseconds(timeout);
  const percent = fields.catch({}).parse(mirrorPercentage ?? { value: 100 })["value"] ?? 0;
  return {
    ...without(more, "name"),
    match: conditions(match),
    route: routeText(route, scope),
    timeout: limit === undefined ? "none" : `${limit}ms`,
    retries: retriesOf(retries),
    mirror:
      mirror === undefined || percent === 0
        ? undefined
        : `${show(percent)} % to ${destinationText(mirror, scope)}`,
  };
}

/** Whether a rule is for hosts that name another cluster alone, to which nobody sends requests yet. */
function isCrossing({ match }: Fields, crossing: readonly string[]): boolean {
  const each = list.safeParse(match);
  return (
    each.success &&
    each.data.length > 0 &&
    each.data.every(({ authority }) => {
      const { prefix } = fields.catch({}).parse(authority);
      return typeof prefix === "string" && crossing.includes(prefix);
    })
  );
}

function virtualServiceOf(spec: unknown, scope: AdoptionScope) {
  const { hosts, gateways, http, exportTo, ...more } = fields.catch({}).parse(spec);
  const all = names
    .catch([])
    .parse(hosts)
    .map((host) => fullHost(host, scope));
  const crossing = all.filter((host) => host.endsWith(".mesh") && !scope.outside.includes(host));
  return {
    object: {
      ...more,
      exportTo: exportedTo(exportTo),
      hosts: all.filter((host) => !crossing.includes(host)).sort(),
      gateways: names
        .catch(["mesh"])
        .parse(gateways ?? ["mesh"])
        .map((name) =>
          name === "mesh" || name.includes("/") ? name : `${scope.namespace}/${name}`,
        )
        .sort(),
    } satisfies Fields,
    rules: list
      .catch([])
      .parse(http ?? [])
      .filter((rule) => !isCrossing(rule, crossing)),
  };
}

/** Whether a match asks for the gateways that requests come through. */
function namesGateways({ match }: Fields): boolean {
  return list
    .catch([])
    .parse(match ?? [])
    .some(({ gateways }) => gateways !== undefined);
}

/** The rules of one gateway's Envoys, or of the sidecars (`mesh`), with their places among all. */
function rulesAt(gateway: string, rules: readonly Fields[], scope: AdoptionScope) {
  const full = (name: string) =>
    name === "mesh" || name.includes("/") ? name : `${scope.namespace}/${name}`;
  return rules.flatMap((rule, i) => {
    const { match, ...more } = rule;
    const all = list.catch([]).parse(match ?? []);
    const here = all.filter(({ gateways }) =>
      names.catch([gateway]).parse(gateways).map(full).includes(gateway),
    );
    if (all.length > 0 && here.length === 0) return [];
    const conditions = here.map((one) => withoutOwnHosts(without(one, "gateways"), scope));
    return [{ i, rule: { ...more, ...(conditions.length > 0 && { match: conditions }) } }];
  });
}

/** That rules for the mesh leave hosts of the gateway out, which the program adds, loses no request of the mesh's hosts. */
function withoutOwnHosts(match: Fields, { outside }: AdoptionScope): Fields {
  const { withoutHeaders, ...more } = match;
  const rest = without(fields.catch({}).parse(withoutHeaders), ":authority");
  const isOwn =
    outside.length > 0 &&
    isDeepStrictEqual(fields.catch({}).parse(withoutHeaders)[":authority"], {
      regex: hostsPattern(outside),
    });
  if (!isOwn) return match;
  return Object.keys(rest).length === 0 ? more : { ...more, withoutHeaders: rest };
}

/**
 * What a VirtualService of others does to requests that the program's would do otherwise; none if both do the same.
 *
 * @param live spec of theirs
 * @param planned spec of the program's
 */
export function virtualServiceDifferences(
  live: unknown,
  planned: unknown,
  scope: AdoptionScope,
): readonly string[] {
  const [theirs, ours] = [virtualServiceOf(live, scope), virtualServiceOf(planned, scope)];
  // Rules for requests from outside alone are compared with those that apply there.
  const audiences = [...theirs.rules, ...ours.rules].some(namesGateways)
    ? ours.object.gateways
    : [undefined];
  const found = audiences.flatMap((gateway) => {
    const at = (rules: readonly Fields[]) =>
      gateway === undefined
        ? rules.map((rule, i) => ({ i, rule }))
        : rulesAt(gateway, rules, scope);
    const [live, own] = [at(theirs.rules), at(ours.rules)];
    const where = gateway === undefined ? "" : ` for ${gateway}`;
    return Array.from({ length: Math.max(live.length, own.length) }, (_, n) => {
      const rule = live[n] && ruleOf(live[n].rule, scope);
      const counterpart = own[n] && ruleOf(own[n].rule, scope);
      const path = `spec.http[${live[n]?.i ?? n}]`;
      if (rule && counterpart) return differences(`${path}.`, rule, counterpart);
      return rule
        ? [
            `${path} (${show(rule["route"])}) has no counterpart in the config${where} (matches${gateway === undefined ? "" : ", ingressPaths"})`,
          ]
        : [`the config has a rule more${where}: ${show(counterpart?.["route"])} (matches, weight)`];
    }).flat();
  });
  return [...new Set([...differences("spec.", theirs.object, ours.object), ...found])];
}

/** Where requests go that match nothing, in words. */
export function virtualServiceText(live: unknown, scope: AdoptionScope): string {
  const rule = virtualServiceOf(live, scope).rules.at(-1);
  return show(rule && ruleOf(rule, scope)["route"]);
}

/** Without what Istio does anyway between sidecars. */
function policyOf(policy: unknown): Fields | undefined {
  const { tls, ...more } = fields.catch({}).parse(policy ?? {});
  const own = {
    ...more,
    ...(tls !== undefined && !isDeepStrictEqual(tls, { mode: "ISTIO_MUTUAL" }) && { tls }),
  };
  return Object.keys(own).length === 0 ? undefined : own;
}

function subsetsOf(subsets: unknown): ReadonlyMap<unknown, Fields> {
  return new Map(
    list
      .catch([])
      .parse(subsets ?? [])
      .map(({ name, trafficPolicy, ...more }) => [
        name,
        { ...more, trafficPolicy: policyOf(trafficPolicy) },
      ]),
  );
}

/**
 * The same of a DestinationRule. A subset that only one of the two has counts for nothing: rules that name it differ.
 *
 * @param live spec of theirs
 * @param planned spec of the program's
 */
export function destinationRuleDifferences(
  live: unknown,
  planned: unknown,
  scope: AdoptionScope,
): readonly string[] {
  const read = (spec: unknown) => {
    const { host, trafficPolicy, subsets, exportTo, ...more } = fields.catch({}).parse(spec);
    return {
      object: {
        ...more,
        host: typeof host === "string" ? fullHost(host, scope) : host,
        trafficPolicy: policyOf(trafficPolicy),
        exportTo: exportedTo(exportTo),
      },
      subsets: subsetsOf(subsets),
    };
  };
  const [theirs, ours] = [read(live), read(planned)];
  return [
    ...differences("spec.", theirs.object, ours.object),
    ...[...theirs.subsets].flatMap(([name, subset]) => {
      const own = ours.subsets.get(name);
      return own ? differences(`spec.subsets[${show(name)}].`, subset, own) : [];
    }),
  ];
}
