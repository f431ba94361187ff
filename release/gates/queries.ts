import type { Gates } from "../../stacks/schema.ts";
import { durationMs } from "../../lib/duration.ts";
import type { BadCounts } from "./gate.ts";
import type { Count } from "./confidence.ts";

/** Where a cluster's metrics are read. */
export interface Metrics {
  /** Runs an instant query, as of now or of an earlier time. */
  query(
    promql: string,
    at?: Date,
  ): Promise<
    readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
  >;
}

/** Which requests are counted: those to one service in one cluster, in a stretch of time. */
export interface Counted {
  readonly cluster: string;
  readonly service: string;
  readonly namespace: string;
  /** The service's host in the mesh. */
  readonly host: string;
  /** When counting ends, and how many seconds before it begins. */
  readonly until: Date;
  readonly seconds: number;
}

/** How far before its start the last sample of a counter is looked for. */
const LOOKBACK = "5m";

/**
 * How much counters have risen, as whole numbers: unlike `increase`, it neither extrapolates nor misses
 * the first request of a series that is new. A counter that was reset counts from its reset on.
 */
function risen(selector: string, seconds: number): string {
  const now = `last_over_time(${selector}[${seconds}s])`;
  return `((${now} - last_over_time(${selector}[${LOOKBACK}] offset ${seconds}s)) >= 0) or ${now}`;
}

/**
 * The part of a stretch of time of which a Prometheus has samples. One that was restarted without what it
 * had knows no value before, from which a counter has risen.
 *
 * @param settleMs time in which it reads every target
 */
export async function withSamples(
  metrics: Metrics,
  counted: Counted,
  settleMs: number,
): Promise<Counted> {
  const up = `up{cluster="${counted.cluster}"}`;
  const [before] = await metrics.query(
    `count(last_over_time(${up}[${LOOKBACK}] offset ${counted.seconds}s))`,
    counted.until,
  );
  if (before) return counted;
  const [age] = await metrics.query(
    `time() - min(min_over_time(timestamp(${up})[${counted.seconds}s:5s]))`,
    counted.until,
  );
  return { ...counted, seconds: Math.floor((age?.value ?? 0) - settleMs / 1000) };
}

function selector(metric: string, { cluster, host }: Counted, more = ""): string {
  return `${metric}{reporter="destination",destination_cluster="${cluster}",destination_service="${host}"${more}}`;
}

/** Requests by version and status. */
function requestsQuery(counted: Counted): string {
  return `sum by (destination_version, response_code) (${risen(selector("istio_requests_total", counted), counted.seconds)})`;
}

/** Requests by version that took no longer than the bound of a bucket, and all of them. */
function latencyQuery(counted: Counted, withinMs: number): string {
  const le = `,le=~"${withinMs}([.]0)?|[+]Inf"`;
  return `sum by (destination_version, le) (${risen(selector("istio_request_duration_milliseconds_bucket", counted, le), counted.seconds)})`;
}

/** A quantile of the latency by version, in milliseconds; NaN for one without requests. */
function quantileQuery(counted: Counted, quantile: number): string {
  const buckets = selector("istio_request_duration_milliseconds_bucket", counted);
  return `histogram_quantile(${quantile}, sum by (destination_version, le) (${risen(buckets, counted.seconds)}))`;
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

/** What one version has done. */
export interface VersionCounts {
  readonly failed: Count;
  readonly slow: Count;
}

/** Requests of the versions in a stretch of time. */
export async function countRequests(
  metrics: Metrics,
  counted: Counted,
  versions: readonly string[],
  within: string,
): Promise<Readonly<Record<string, VersionCounts>>> {
  const withinMs = durationMs(within);
  if (counted.seconds < 1) return {};
  const [requests, buckets] = await Promise.all([
    metrics.query(requestsQuery(counted), counted.until),
    metrics.query(latencyQuery(counted, withinMs), counted.until),
  ]);
  const sum = (
    samples: typeof requests,
    of: (labels: Readonly<Record<string, string>>) => boolean,
  ): number =>
    Math.round(samples.reduce((all, { labels, value }) => (of(labels) ? all + value : all), 0));
  return Object.fromEntries(
    versions.map((version) => {
      const own = (labels: Readonly<Record<string, string>>) =>
        labels["destination_version"] === version;
      const all = sum(buckets, (labels) => own(labels) && labels["le"] === "+Inf");
      const inTime = sum(buckets, (labels) => own(labels) && labels["le"] !== "+Inf");
      return [
        version,
        {
          failed: {
            hits: sum(
              requests,
              (labels) => own(labels) && labels["response_code"]?.startsWith("5") === true,
            ),
            trials: sum(requests, own),
          },
          slow: { hits: Math.max(0, all - inTime), trials: all },
        },
      ];
    }),
  );
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

/** The bad events and all events of one version, by a custom query. */
export async function countQuery(
  metrics: Metrics,
  { bad, all }: Gates["queries"][number],
  counted: Counted,
  version: string,
): Promise<Count> {
  if (counted.seconds < 1) return { hits: 0, trials: 0 };
  const [hits, trials] = await Promise.all(
    [bad, all].map(async (template) => {
      const samples = await metrics.query(filledIn(template, counted, version), counted.until);
      return Math.round(samples.reduce((total, { value }) => total + (value || 0), 0));
    }),
  );
  return { hits: Math.min(hits ?? 0, trials ?? 0), trials: trials ?? 0 };
}

/** The canary's requests among all, as the gate on its share wants them. */
export function shareCounts(canary: Count, stable: Count): BadCounts {
  return {
    canary: { hits: canary.trials, trials: canary.trials + stable.trials },
    stable: { hits: 0, trials: 0 },
  };
}
