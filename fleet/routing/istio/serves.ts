import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { durationMs } from "../../../lib/duration.ts";
import { virtualServiceSpec } from "../../../lib/routing/istio/virtual-service-spec.ts";
import { subsetOf } from "../../../lib/routing/istio/envoy-names.ts";
import type { EnvoyRouting } from "../../../lib/routing/differences.ts";
import { weightsOf, type VirtualHost } from "./envoy.ts";

const headerMatch = z.looseObject({
  name: z.string(),
  string_match: z
    .looseObject({
      exact: z.string().optional(),
      safe_regex: z.looseObject({ regex: z.string() }).optional(),
    })
    .optional(),
});
const policy = z.looseObject({
  timeout: z.string().optional(),
  retry_policy: z.looseObject({ num_retries: z.number().default(1) }).optional(),
});
const heldChange = z.looseObject({
  request_headers_to_add: z
    .array(z.looseObject({ header: z.looseObject({ key: z.string(), value: z.string() }) }))
    .default([]),
  request_headers_to_remove: z.array(z.string()).default([]),
});
const mirrorPolicy = z.looseObject({
  cluster: z.string(),
  runtime_fraction: z.looseObject({ default_value: z.looseObject({ numerator: z.number() }) }),
});

/** What a rule does, in words that Istio and Envoy share. */
interface Rule {
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly weights: Readonly<Record<string, number>>;
  /** What happens to the headers of requests for each subset, one line each. */
  readonly changes: Readonly<Record<string, readonly string[]>>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly mirror: { readonly subset: string; readonly percent: number } | undefined;
}

/** Envoy is not told of versions that get nothing. */
function shared(weights: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0));
}

/** Changes of headers as lines, in an order of their own. */
function lines(set: readonly (readonly [string, string])[], remove: readonly string[]): string[] {
  return [
    ...set.map(([name, value]) => `${name}: ${value}`),
    ...remove.map((name) => `no ${name}`),
  ].sort();
}

function wantedRules(spec: unknown): Rule[] {
  return virtualServiceSpec.parse(spec).http.flatMap((rule) =>
    (rule.match ?? [{}]).map(({ headers = {} }) => ({
      name: rule.name,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, { exact, regex }]) => [name, exact ?? regex]),
      ),
      weights: shared(
        Object.fromEntries(
          rule.route.map((entry) => [entry.destination.subset ?? "", entry.weight ?? 100]),
        ),
      ),
      changes: Object.fromEntries(
        rule.route.flatMap(({ destination: { subset = "" }, weight = 100, headers }) => {
          const { set = {}, remove = [] } = headers?.request ?? {};
          const own = lines(Object.entries(set), remove);
          return weight > 0 && own.length > 0 ? [[subset, own] as const] : [];
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

/** Envoy has the changes on the route where there is one destination, and else on each of them. */
function heldChanges(rule: VirtualHost["routes"][number]): Rule["changes"] {
  const { route } = rule;
  const destinations =
    route?.weighted_clusters?.clusters ??
    (route?.cluster === undefined ? [] : [{ ...rule, name: route.cluster }]);
  return Object.fromEntries(
    destinations.flatMap((destination) => {
      const { request_headers_to_add: add, request_headers_to_remove: remove } =
        heldChange.parse(destination);
      const own = lines(
        add.map(({ header }) => [header.key, header.value] as const),
        remove,
      );
      return own.length > 0 ? [[subsetOf(destination.name), own] as const] : [];
    }),
  );
}

function heldRules({ routes }: VirtualHost): Rule[] {
  return routes.map((rule) => {
    const { name, match, route } = rule;
    const headers = z.array(headerMatch).parse(match.headers ?? []);
    const { timeout, retry_policy: retries } = policy.parse(route ?? {});
    const [mirror] = z.array(mirrorPolicy).parse(route?.request_mirror_policies ?? []);
    return {
      name,
      headers: Object.fromEntries(
        headers
          .filter((header) => header.name !== ":authority")
          .map((header) => [
            header.name,
            header.string_match?.exact ?? header.string_match?.safe_regex?.regex,
          ]),
      ),
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

/** Envoys that do not serve the rules of a VirtualService yet. */
export function behind(spec: unknown, envoys: readonly EnvoyRouting[]): readonly string[] {
  const wanted = wantedRules(spec);
  return envoys
    .filter(({ virtualHosts }) =>
      Object.values(virtualHosts).some(
        (host) => !isDeepStrictEqual(heldRules(host as VirtualHost), wanted),
      ),
    )
    .flatMap(({ of }) => of);
}
