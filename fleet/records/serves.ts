import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { durationMs } from "../../lib/duration.ts";
import type { EnvoyRouting } from "../../lib/routing.ts";
import { subsetOf, weightsOf, type VirtualHost } from "../envoy.ts";

const textMatch = z.looseObject({ exact: z.string().optional(), regex: z.string().optional() });
const destination = z.looseObject({ subset: z.string().default("") });
const virtualService = z.looseObject({
  http: z.array(
    z.looseObject({
      name: z.string().optional(),
      match: z
        .array(z.looseObject({ headers: z.record(z.string(), textMatch).default({}) }))
        .default([{ headers: {} }]),
      route: z.array(z.looseObject({ destination, weight: z.number().optional() })),
      timeout: z.string().optional(),
      retries: z.looseObject({ attempts: z.number() }).optional(),
      mirror: destination.optional(),
      mirrorPercentage: z.looseObject({ value: z.number() }).optional(),
    }),
  ),
});
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
const mirrorPolicy = z.looseObject({
  cluster: z.string(),
  runtime_fraction: z.looseObject({ default_value: z.looseObject({ numerator: z.number() }) }),
});

/** What a rule does, in words that Istio and Envoy share. */
interface Rule {
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly weights: Readonly<Record<string, number>>;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly mirror: { readonly subset: string; readonly percent: number } | undefined;
}

/** Envoy is not told of versions that get nothing. */
function shared(weights: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0));
}

function wantedRules(spec: unknown): Rule[] {
  return virtualService.parse(spec).http.flatMap((rule) =>
    rule.match.map(({ headers }) => ({
      name: rule.name,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, { exact, regex }]) => [name, exact ?? regex]),
      ),
      weights: shared(
        Object.fromEntries(
          rule.route.map((entry) => [entry.destination.subset, entry.weight ?? 100]),
        ),
      ),
      timeoutMs: durationMs(rule.timeout ?? "0s"),
      retries: rule.retries?.attempts ?? 0,
      mirror: rule.mirror && {
        subset: rule.mirror.subset,
        percent: rule.mirrorPercentage?.value ?? 100,
      },
    })),
  );
}

function heldRules({ routes }: VirtualHost): Rule[] {
  return routes.map(({ name, match, route }) => {
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
