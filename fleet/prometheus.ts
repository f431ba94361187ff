import * as z from "zod";
import { serverLabels } from "../lib/monitoring/server-labels.ts";
import { PROMETHEUS, PROMETHEUS_PORT } from "../lib/names.ts";
import type { MeshCluster } from "./cluster.ts";
import { getJson } from "./pod-http.ts";

/** One series of the answer to a query. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const answer = z.looseObject({
  status: z.literal("success"),
  data: z.looseObject({
    resultType: z.literal("vector"),
    result: z.array(
      z.looseObject({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
});

/** No answer of a Prometheus takes longer than this, in milliseconds. */
const TIMEOUT_MS = 20_000;

/** The Prometheus with one cluster's metrics. */
export class Prometheus {
  readonly #cluster: MeshCluster;
  readonly #url: string | undefined;

  /** @param url where it answers. @default the cluster's own, through the API server's port-forward */
  constructor(cluster: MeshCluster, url?: string) {
    this.#cluster = cluster;
    this.#url = url;
  }

  /**
   * Runs an instant query.
   *
   * @param at as of when. @default now
   * @returns one sample for each series; none if there is no data
   * @throws if Prometheus cannot be reached, or does not understand the query
   */
  async query(promql: string, at?: Date): Promise<readonly Sample[]> {
    const time = at && { time: String(at.getTime() / 1000) };
    const { data } = answer.parse(
      await this.get(`/api/v1/query?${params({ query: promql, ...time })}`),
    );
    return data.result.map(({ metric, value: [, text] }) => ({
      labels: metric,
      value: Number(text),
    }));
  }

  /** GETs a JSON document of its HTTP API. */
  async get(path: string): Promise<unknown> {
    if (this.#url !== undefined) {
      const response = await fetch(`${this.#url.replace(/\/$/, "")}${path}`, {
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok) {
        throw new Error(
          `Prometheus of ${this.#cluster.name} answered ${response.status}: ${await response.text()}`,
        );
      }
      return response.json();
    }
    const selector = Object.entries(serverLabels(PROMETHEUS)).map(([k, v]) => `${k}=${v}`);
    const [pod] = await this.#cluster.runningPods(selector.join(","));
    if (!pod) {
      throw new Error(
        `${this.#cluster.name} runs no Prometheus of istio-canary: set monitoring.mode to prometheus, or clusters[].prometheus to the URL of one`,
      );
    }
    return getJson(this.#cluster, pod, PROMETHEUS_PORT, path);
  }
}

function params(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString();
}
