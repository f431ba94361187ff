import type { Metrics } from "../../release/gates/counters.ts";

type Sample = Awaited<ReturnType<Metrics["query"]>>[number];

/** A Prometheus that answers by what the query contains, and remembers what it was asked. */
export class FakeMetrics implements Metrics {
  readonly asked: { promql: string; at: Date | undefined }[] = [];
  readonly #answers: readonly (readonly [string, readonly Sample[]])[];

  /** @param answers the first whose text is in the query counts; no samples if there is none */
  constructor(answers: readonly (readonly [string, readonly Sample[]])[]) {
    this.#answers = answers;
  }

  query(promql: string, at?: Date) {
    this.asked.push({ promql, at });
    const answer = this.#answers.find(([part]) => promql.includes(part));
    return Promise.resolve(answer?.[1] ?? []);
  }
}

/** A sample of the requests of a version with a status. */
export const requests = (version: string, code: string, value: number): Sample => ({
  labels: { destination_version: version, response_code: code },
  value,
});

/** A sample of requests that no pod has answered, as Istio counts them at the client. */
export const unreached = (flag: string, value: number): Sample => ({
  labels: { destination_version: "unknown", response_code: "503", response_flags: flag },
  value,
});

/** A sample of a bucket of a version's latency. */
export const bucket = (version: string, le: string, value: number): Sample => ({
  labels: { destination_version: version, le },
  value,
});

/** A sample of a quantile of a version's latency. */
export const quantile = (version: string, value: number): Sample => ({
  labels: { destination_version: version },
  value,
});

/** What a Prometheus answers that has samples of the time before a stretch of time. */
export const hasSamples = ["count(last_over_time(up", [{ labels: {}, value: 20 }]] as const;

/**
 * A Prometheus that knows 9000 requests of v1 and 1000 of v2, all of them fast.
 *
 * @param failed how many of the canary's got a 500
 */
export function metricsWith(failed: number): FakeMetrics {
  return new FakeMetrics([
    hasSamples,
    [
      "istio_requests_total",
      [
        requests("v1", "200", 9000),
        requests("v2", "200", 1000 - failed),
        requests("v2", "500", failed),
      ],
    ],
    ["_bucket", ["500", "+Inf"].flatMap((le) => [bucket("v1", le, 9000), bucket("v2", le, 1000)])],
  ]);
}
