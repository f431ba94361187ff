import type { Gates } from "../../stacks/schema.ts";
import { durationMs } from "../../lib/duration.ts";
import { versionName } from "../../lib/version-name.ts";
import { oneOf, risen, type Metrics, type Stretch } from "./counters.ts";
import type { BadCounts } from "./gate.ts";
import type { Count } from "./confidence.ts";

/** Which requests are counted: those to one service in one cluster, in a stretch of time. */
export interface Counted extends Stretch {
  readonly service: string;
  readonly namespace: string;
  /** The service's host in the mesh. */
  readonly host: string;
  /** Other hosts by which it is called: of the ingress, and those that name a cluster. @default none */
  readonly otherHosts?: readonly string[] | undefined;
}

/** What one version's pods have answered. */
export interface VersionCounts {
  readonly failed: Count;
  /** @default its series lack what the question needs */
  readonly slow: Count | undefined;
}

/** What the pods of a service in one cluster have answered. */
export interface Answered {
  readonly versions: Readonly<Record<string, VersionCounts>>;
  /** Requests whose series name no version. */
  readonly unnamed: number;
  /** Requests that the cluster's own clients have sent. */
  readonly fromHere: number;
}

type Labels = Readonly<Record<string, string>>;
type Samples = Awaited<ReturnType<Metrics["query"]>>;

/** gRPC status codes that say that the server failed, as 5xx does: the others are the caller's doing, or answers. */
const GRPC_FAILURES: Readonly<Record<string, string>> = {
  "2": "UNKNOWN",
  "4": "DEADLINE_EXCEEDED",
  "8": "RESOURCE_EXHAUSTED",
  "12": "UNIMPLEMENTED",
  "13": "INTERNAL",
  "14": "UNAVAILABLE",
  "15": "DATA_LOSS",
};

/**
 * Envoy's flags of requests that no pod has answered: no connection, no healthy endpoint, overflow, no
 * route, no cluster, timeout, unresolved name, and connections that were reset on either side.
 */
const UNREACHED = new Set(["UF", "UH", "UO", "NR", "NC", "UT", "DF", "UC", "UR", "LR"]);

/** What the clients and gateways of one cluster have got when they called a service. */
export interface Calls {
  readonly all: number;
  /** Those that a version's pods have answered, by version. */
  readonly arrived: Readonly<Record<string, number>>;
  /** Those that no pod has answered. Istio mostly does not know which version they were meant for. */
  readonly unreached: number;
  /** Those of them that were surely meant for the stable version. */
  readonly unreachedStable: number;
  /** How many had which of Envoy's response flags. */
  readonly flags: Readonly<Record<string, number>>;
}

/** Matchers of the requests that the pods of a service in a cluster have answered. */
function answeredBy({ cluster, host }: Pick<Counted, "cluster" | "host">): string {
  return `reporter="destination",destination_cluster="${cluster}",destination_service="${host}"`;
}

/** Requests by version and what became of them. */
function requestsQuery(counted: Counted): string {
  return `sum by (destination_version, response_code, grpc_response_status, source_cluster) (${risen("istio_requests_total", answeredBy(counted), counted)})`;
}

/** Requests by version that took no longer than the bound of a bucket, and all of them. */
function latencyQuery(counted: Counted, withinMs: number): string {
  const matchers = `${answeredBy(counted)},le=~"${withinMs}([.]0)?|[+]Inf"`;
  return `sum by (destination_version, le) (${risen("istio_request_duration_milliseconds_bucket", matchers, counted)})`;
}

/** A quantile of the latency by version, in milliseconds; NaN for one without requests. */
function quantileQuery(counted: Counted, quantile: number): string {
  const buckets = risen("istio_request_duration_milliseconds_bucket", answeredBy(counted), counted);
  return `histogram_quantile(${quantile}, sum by (destination_version, le) (${buckets}))`;
}

/**
 * Matcher of the requests to a service, whoever reports them. Where there was no route or no cluster,
 * Istio knows the service only by the name that the client called.
 */
export function calledAs({
  service,
  namespace,
  host,
  otherHosts = [],
}: Pick<Counted, "service" | "namespace" | "host" | "otherHosts">): string {
  const domain = host.slice(`${service}.${namespace}.svc.`.length);
  const short = `${service}(?:[.]${namespace}(?:[.]svc(?:[.]${oneOf([domain])})?)?)?`;
  const hosts = [short, ...(otherHosts.length > 0 ? [oneOf(otherHosts)] : [])].join("|");
  return `destination_service=~"(?:${hosts})(?::[0-9]+)?"`;
}

/** Matchers of the requests that clients and gateways of a cluster have sent to a service. */
function calledFrom(counted: Counted): string {
  return `reporter="source",source_cluster="${counted.cluster}",${calledAs(counted)}`;
}

/** What clients of a cluster have got, by version and what Envoy says of it. */
function callsQuery(counted: Counted): string {
  return `sum by (destination_version, response_code, response_flags, destination_service, source_workload_namespace) (${risen("istio_requests_total", calledFrom(counted), counted)})`;
}

/** A custom query for one version. */
function filledIn(template: string, counted: Counted, version: string): string {
  const values: Readonly<Record<string, string>> = {
    cluster: counted.cluster,
    service: counted.service,
    namespace: counted.namespace,
    version,
    window: `${counted.seconds}s`,
  };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (all, name: string) => values[name] ?? all);
}

function sum(samples: Samples, of: (labels: Labels) => boolean): number {
  return Math.round(
    samples.reduce((all, { labels, value }) => (of(labels) ? all + value : all), 0),
  );
}

/** Whether a series names no version: Istio writes "unknown" where it does not know one. */
function isUnnamed({ destination_version: version = "" }: Labels): boolean {
  return version === "" || version === "unknown";
}

/** Whether the client gave up before there was an answer: neither a success nor a failure. */
function isGivenUp({ response_code: code }: Labels): boolean {
  return code === "0";
}

function isFailed({ response_code: code = "", grpc_response_status: grpc = "" }: Labels): boolean {
  return code.startsWith("5") || grpc in GRPC_FAILURES;
}

/**
 * What the pods of a service have answered in a stretch of time.
 *
 * @param within a bound of Istio's buckets, beyond which a request is slow
 */
export async function countRequests(
  metrics: Metrics,
  counted: Counted,
  versions: readonly string[],
  within: string,
): Promise<Answered> {
  const withinMs = durationMs(within);
  if (counted.seconds < 1) return { versions: {}, unnamed: 0, fromHere: 0 };
  const [requests, buckets] = await Promise.all([
    metrics.query(requestsQuery(counted), counted.until),
    metrics.query(latencyQuery(counted, withinMs), counted.until),
  ]);
  const of = (version: string): VersionCounts => {
    const own = (labels: Labels) => labels["destination_version"] === version;
    const answered = (labels: Labels) => own(labels) && !isGivenUp(labels);
    const inTime = (labels: Labels) => own(labels) && labels["le"] !== "+Inf";
    const all = sum(buckets, (labels) => own(labels) && labels["le"] === "+Inf");
    const trials = sum(requests, answered);
    const lacks = trials > 0 && !buckets.some(({ labels }) => inTime(labels));
    return {
      failed: { hits: sum(requests, (labels) => answered(labels) && isFailed(labels)), trials },
      slow: lacks ? undefined : { hits: Math.max(0, all - sum(buckets, inTime)), trials: all },
    };
  };
  return {
    versions: Object.fromEntries(versions.map((version) => [version, of(version)])),
    unnamed: sum(requests, isUnnamed),
    fromHere: sum(requests, ({ source_cluster: source }) => source === counted.cluster),
  };
}

/** What the clients of a cluster have got from a service in a stretch of time, as they have seen it. */
export async function countCalls(
  metrics: Metrics,
  counted: Counted,
  { stable, canary }: { readonly stable: string; readonly canary: string },
): Promise<Calls> {
  const found = counted.seconds < 1 ? [] : await metrics.query(callsQuery(counted), counted.until);
  const { service, namespace } = counted;
  const calls = found.filter(({ labels }) => {
    // A name without a namespace means the service of that name in the caller's own.
    const [host] = (labels["destination_service"] ?? "").split(":");
    return host !== service || labels["source_workload_namespace"] === namespace;
  });
  const flagsOf = ({ response_flags: flags = "" }: Labels) =>
    flags.split(",").filter((flag) => UNREACHED.has(flag));
  const isUnreached = (labels: Labels) => flagsOf(labels).length > 0;
  const counts = (labels: Labels) => isUnreached(labels) || !isGivenUp(labels);
  const arrived = (version: string) =>
    sum(calls, (labels) => labels["destination_version"] === version && !isUnreached(labels));
  const flags = [...new Set(calls.flatMap(({ labels }) => flagsOf(labels)))].sort();
  return {
    all: sum(calls, counts),
    arrived: { [stable]: arrived(stable), [canary]: arrived(canary) },
    unreached: sum(calls, isUnreached),
    unreachedStable: sum(
      calls,
      (labels) => isUnreached(labels) && labels["destination_version"] === stable,
    ),
    flags: Object.fromEntries(
      flags
        .map((flag) => [flag, sum(calls, (labels) => flagsOf(labels).includes(flag))] as const)
        .filter(([, count]) => count > 0),
    ),
  };
}

/** Whether the cluster's Prometheus reads the proxies of the service's pods, so that no requests are none. */
export async function readsProxies(
  metrics: Metrics,
  { cluster, namespace, service, until }: Counted,
  versions: readonly string[],
): Promise<boolean> {
  const pods = `${service}-(${versions.map(versionName).join("|")})-.+`;
  const found = await metrics.query(
    `count(up{cluster="${cluster}",namespace="${namespace}",pod=~"${pods}"} == 1)`,
    until,
  );
  return found.length > 0;
}

/**
 * The latency below which a share of each version's requests were answered, in milliseconds, between
 * the bounds of Istio's buckets; versions without requests are left out.
 *
 * @param quantile the share, 0 to 1
 */
export async function latencyQuantile(
  metrics: Metrics,
  counted: Counted,
  quantile: number,
): Promise<Readonly<Record<string, number>>> {
  const samples = await metrics.query(quantileQuery(counted, quantile), counted.until);
  return Object.fromEntries(
    samples.flatMap(({ labels, value }) =>
      Number.isFinite(value) ? [[labels["destination_version"] ?? "", value] as const] : [],
    ),
  );
}

/**
 * The bad events and all events of one version, by a query of one's own.
 *
 * @throws if either gives nothing, or no number: that is not 0
 */
export async function countQuery(
  metrics: Metrics,
  { bad, all }: Gates["queries"][number],
  counted: Counted,
  version: string,
): Promise<Count> {
  if (counted.seconds < 1) return { hits: 0, trials: 0 };
  const number = async (key: string, template: string): Promise<number> => {
    const promql = filledIn(template, counted, version);
    const samples = await metrics.query(promql, counted.until);
    const total = samples.reduce((before, { value }) => before + value, 0);
    if (samples.length === 0) {
      throw new Error(
        `its query \`${key}\` gives no value for ${version}, which is not the same as 0: ${promql}. If no value means 0 there, add "or vector(0)" to it.`,
      );
    }
    if (!Number.isFinite(total)) {
      throw new Error(`its query \`${key}\` gives ${total} for ${version}: ${promql}`);
    }
    return Math.round(total);
  };
  const [hits, trials] = await Promise.all([number("bad", bad), number("all", all)]);
  return { hits: Math.min(hits, trials), trials };
}

/** The canary's requests among all that arrived, as the gate on its share wants them. */
export function shareCounts({ arrived }: Calls, stable: string, canary: string): BadCounts {
  const hits = arrived[canary] ?? 0;
  return {
    canary: { hits, trials: hits + (arrived[stable] ?? 0) },
    stable: { hits: 0, trials: 0 },
  };
}

/** Requests that no pod has answered among all, but those meant for stable: now, and before the phase. */
export function unreachedCounts(now: Calls, before: Calls): BadCounts {
  const count = ({ all, unreached, unreachedStable }: Calls): Count => ({
    hits: unreached - unreachedStable,
    trials: all,
  });
  return { canary: count(now), stable: count(before) };
}

/** Envoy's flags in words: "NC 1100, UH 7". */
export function flagWords({ flags }: Pick<Calls, "flags">): string {
  return Object.entries(flags)
    .map(([flag, count]) => `${flag} ${count}`)
    .join(", ");
}
