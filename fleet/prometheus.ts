import * as z from "zod";
import type { ClusterClient } from "./cluster-client.ts";
import { ownPrometheus, type PrometheusApi } from "./prometheus-api.ts";

/** One series of the answer to a query. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One series of the answer to a query over a stretch of time. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in milliseconds since 1970, and value. */
  readonly points: readonly (readonly [number, number])[];
}

/** A stretch of time in milliseconds since 1970, and the distance of two points in it. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
}

const sample = z.tuple([z.number(), z.string()]);
const metric = z.record(z.string(), z.string());
const answer = z.looseObject({
  status: z.literal("success"),
  warnings: z.array(z.string()).default([]),
  /** VictoriaMetrics says so. */
  isPartial: z.boolean().default(false),
  data: z.looseObject({
    resultType: z.literal("vector"),
    result: z.array(z.looseObject({ metric, value: sample })),
  }),
});
const rangeAnswer = z.looseObject({
  status: z.literal("success"),
  data: z.looseObject({
    resultType: z.literal("matrix"),
    result: z.array(z.looseObject({ metric, values: z.array(sample) })),
  }),
});

/** The Prometheus with one cluster's metrics. */
export class Prometheus {
  readonly #cluster: string;
  readonly #api: PrometheusApi;

  /** @param api the way to it. @default to the one that this program has installed in the cluster */
  constructor(cluster: ClusterClient, api: PrometheusApi = ownPrometheus(cluster)) {
    this.#cluster = cluster.name;
    this.#api = api;
  }

  /**
   * Runs an instant query.
   *
   * @param at as of when. @default now
   * @returns one sample for each series; none if there is no data
   * @throws if Prometheus cannot be reached, does not understand the query, or has only a part of the answer
   */
  async query(promql: string, at?: Date): Promise<readonly Sample[]> {
    const time = at && { time: String(at.getTime() / 1000) };
    const { data, warnings, isPartial } = answer.parse(
      await this.get(`/api/v1/query?${params({ query: promql, ...time })}`),
    );
    // What the language warns of is about the query; all else is about a store that has not answered.
    const partial = warnings.filter((text) => !/^PromQL (?:warning|info)/.test(text));
    if (partial.length > 0 || isPartial) {
      const why = partial.length > 0 ? partial.join("; ") : "isPartial";
      throw new Error(`the answer for ${this.#cluster} is only a part: ${why}`);
    }
    return data.result.map(({ metric, value: [, text] }) => ({
      labels: metric,
      value: Number(text),
    }));
  }

  /**
   * Runs a query at many points of time.
   *
   * @returns one series for each set of labels; none if there is no data
   * @throws if Prometheus cannot be reached, or does not understand the query
   */
  async queryRange(promql: string, { from, to, stepMs }: Range): Promise<readonly Series[]> {
    const range = {
      query: promql,
      start: String(from / 1000),
      end: String(to / 1000),
      step: String(stepMs / 1000),
    };
    const { data } = rangeAnswer.parse(await this.get(`/api/v1/query_range?${params(range)}`));
    return data.result.map(({ metric: labels, values }) => ({
      labels,
      points: values.map(([seconds, text]) => [seconds * 1000, Number(text)]),
    }));
  }

  /** GETs a JSON document of its HTTP API. @throws if there is no answer, or it is something else */
  async get(path: string): Promise<unknown> {
    const body = await this.#api.get(path);
    try {
      return JSON.parse(body) as unknown;
    } catch {
      throw new Error(
        `Prometheus of ${this.#cluster} answers with something other than JSON: check the path of its URL, and whether it requires a login`,
      );
    }
  }
}

function params(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString();
}
