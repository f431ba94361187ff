import * as z from "zod";
import { durationMs, NO_LIMIT } from "../../duration.ts";
import type { RequestMatch, Retries, TrafficPolicy } from "../routing.ts";
import { EXISTING, OWNED, WORKLOAD } from "../routing-annotations.ts";
import { NOTHING_SAID, type SaidRoute } from "../said.ts";
import { VERSION_LABELS } from "../version-labels.ts";
import { cookiePattern } from "./routing-rules.ts";

const texts = z.record(z.string(), z.string());
const fields = z.record(z.string(), z.unknown());
const metadata = z
  .looseObject({ labels: texts.catch({}), annotations: texts.catch({}) })
  .catch({ labels: {}, annotations: {} });
const destination = z.looseObject({ subset: z.string().optional() });

const virtualService = z.looseObject({
  metadata,
  spec: z.looseObject({
    hosts: z.array(z.string()).catch([]),
    gateways: z.array(z.string()).catch(["mesh"]),
    http: z
      .array(
        z.looseObject({
          match: z.array(fields).catch([]),
          route: z.array(z.looseObject({ destination, weight: z.number().optional() })).catch([]),
          timeout: z.string().optional(),
          retries: z
            .looseObject({
              attempts: z.number().optional(),
              perTryTimeout: z.string().optional(),
              retryOn: z.string().optional(),
            })
            .optional(),
          corsPolicy: fields.optional(),
          mirror: destination.optional(),
          mirrorPercentage: z.looseObject({ value: z.number() }).optional(),
        }),
      )
      .catch([]),
  }),
});
type Rule = z.infer<typeof virtualService>["spec"]["http"][number];

const destinationRule = z.looseObject({
  spec: z.looseObject({
    trafficPolicy: fields.optional(),
    subsets: z
      .array(
        z.looseObject({
          name: z.string(),
          labels: texts.catch({}),
          trafficPolicy: fields.optional(),
        }),
      )
      .catch([]),
  }),
});

type Subset = z.infer<typeof destinationRule>["spec"]["subsets"][number];

/** A duration as the configuration takes it: `1.5s` is 1500ms there too, `0s` is no limit. */
function durationText(value: string | undefined): string {
  const length = value === undefined ? 0 : durationMs(value);
  if (length === 0) return NO_LIMIT;
  return length % 1_000 === 0 ? `${length / 1_000}s` : `${length}ms`;
}

/** Share of each subset in percent, the largest first. */
function sharesOf({ route }: Rule): readonly (readonly [subset: string, share: number])[] {
  const weights = route.map(({ weight }) => weight ?? (route.length === 1 ? 100 : 0));
  const sum = weights.reduce((one, other) => one + other, 0);
  return route
    .flatMap(({ destination: { subset } }, i) =>
      subset === undefined || subset === ""
        ? []
        : [[subset, sum === 0 ? 0 : Math.round(((weights[i] ?? 0) * 100) / sum)] as const],
    )
    .sort(([one, share], [other, second]) => second - share || one.localeCompare(other));
}

const exact = z.strictObject({ exact: z.string() });
const regex = z.strictObject({ regex: z.string() });

/** The cookie that a pattern of this program's asks for. */
function cookieOf(pattern: string): Readonly<Record<string, string>> | undefined {
  const [, name = "", value = ""] =
    /\)\?((?:\\.|[^=\\])+)=((?:\\.|[^(\\])+)\(\?:/.exec(pattern) ?? [];
  const [plainName, plainValue] = [name, value].map((each) => each.replaceAll(/\\(.)/g, "$1"));
  return plainName !== undefined &&
    plainValue !== undefined &&
    cookiePattern(plainName, plainValue) === pattern
    ? { [plainName]: plainValue }
    : undefined;
}

/** Conditions on headers that the configuration can say; undefined of others. */
function matchOf(match: z.infer<typeof fields>): RequestMatch | undefined {
  const headers = fields.catch({}).parse(match["headers"]);
  const header: Record<string, string> = {};
  let cookie: Readonly<Record<string, string>> | undefined;
  for (const [name, condition] of Object.entries(headers)) {
    const asked = exact.safeParse(condition);
    const pattern = regex.safeParse(condition);
    if (asked.success) header[name] = asked.data.exact;
    else if (name === "cookie" && pattern.success) cookie = cookieOf(pattern.data.regex);
  }
  const all = {
    ...(Object.keys(header).length > 0 && { header }),
    ...(cookie && { cookie }),
  };
  return Object.keys(all).length > 0 ? all : undefined;
}

function retriesOf({ retries }: Rule): Retries | undefined {
  if (!retries) return undefined;
  const { attempts = 2, perTryTimeout, retryOn } = retries;
  const limit = durationText(perTryTimeout);
  return {
    attempts,
    ...(limit !== NO_LIMIT && attempts > 0 && { perTryTimeout: limit }),
    ...(retryOn !== undefined && retryOn !== "" && attempts > 0 && { on: retryOn }),
  };
}

/** The version that a subset stands for: the label's value, of which its name may be another spelling. */
function versionIn({ name, labels }: Subset): string {
  const [version, ...more] = Object.values(labels);
  return version !== undefined && more.length === 0 ? version : name;
}

/** @param subsets those of the DestinationRule */
function rulesSaid(
  object: z.infer<typeof virtualService>,
  subsets: readonly Subset[],
): Partial<SaidRoute> {
  const { labels, annotations } = object.metadata;
  const { hosts, gateways, http } = object.spec;
  const isOwn = Object.entries(OWNED).every(([name, value]) => annotations[name] === value);
  // What names a host is for one other cluster, or for a gateway: the same as the others.
  const rules = http.filter(
    ({ match }) => match.length === 0 || match.some((each) => !("authority" in each)),
  );
  const last = rules.at(-1);
  if (!last) return {};
  const shares = sharesOf(last).map(([name, share]) => {
    const subset = subsets.find((each) => each.name === name);
    return [subset ? versionIn(subset) : name, share] as const;
  });
  const [first, second] = shares;
  const label = (name: string) => (isOwn && labels[name] !== "" ? labels[name] : undefined);
  const stable = label(VERSION_LABELS.stable) ?? first?.[0];
  const canary = isOwn ? label(VERSION_LABELS.canary) : second?.[0];
  const weight = shares.find(([version]) => version === canary)?.[1] ?? 0;
  const mirrored = last.mirror === undefined ? 0 : (last.mirrorPercentage?.value ?? 100);
  const namespace = (name: string) =>
    name.includes("/")
      ? name
      : `${String(fields.catch({}).parse(object.metadata)["namespace"])}/${name}`;
  const outside = gateways.filter((name) => name !== "mesh").map(namespace);
  return {
    ...(isOwn && { madeFor: annotations[WORKLOAD] === EXISTING[WORKLOAD] ? "existing" : "made" }),
    ...(stable !== undefined && { stable }),
    ...(canary !== undefined && { canary }),
    weight,
    timeout: durationText(last.timeout),
    retries: retriesOf(last),
    matches: rules
      .slice(0, -1)
      .flatMap(({ match }) => match.flatMap((each) => matchOf(each) ?? [])),
    mirrorPercent: mirrored,
    ...(last.corsPolicy && { corsPolicy: last.corsPolicy }),
    gateways: outside,
    gatewayHosts: outside.length === 0 ? [] : hosts.filter((host) => host.includes(".")),
  };
}

/** Without what Istio does anyway between sidecars. */
function policyOf(policy: TrafficPolicy | undefined): TrafficPolicy | undefined {
  const { tls, ...more } = policy ?? {};
  const mode = fields.catch({}).parse(tls)["mode"];
  const own = tls === undefined || mode === "ISTIO_MUTUAL" ? more : { ...more, tls };
  return Object.keys(own).length === 0 ? undefined : own;
}

function subsetsSaid({ spec }: z.infer<typeof destinationRule>): Partial<SaidRoute> {
  const labels = new Set(spec.subsets.flatMap((each) => Object.keys(each.labels)));
  const [label] = labels;
  return {
    versions: spec.subsets.map(versionIn),
    ...(labels.size === 1 && label !== undefined && { versionLabel: label }),
    policy: policyOf(spec.trafficPolicy),
    policies: Object.fromEntries(
      spec.subsets.flatMap((subset) => {
        const own = policyOf(subset.trafficPolicy);
        return own ? [[versionIn(subset), own] as const] : [];
      }),
    ),
  };
}

/**
 * What a service's VirtualService and DestinationRule say, in the words of the configuration. What it has no words for is
 * left out: `virtualServiceDifferences` names it.
 *
 * @param route the VirtualService as the API server has it; undefined if there is none
 * @param versions the same of the DestinationRule
 */
export function saidRoute(route: unknown, versions: unknown): SaidRoute {
  const rules = virtualService.safeParse(route);
  const subsets = destinationRule.safeParse(versions);
  return {
    ...NOTHING_SAID,
    ...(subsets.success && subsetsSaid(subsets.data)),
    ...(rules.success && rulesSaid(rules.data, subsets.data?.spec.subsets ?? [])),
  };
}
