import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { urlPrometheus } from "../../../fleet/prometheus-api.ts";
import { Prometheus } from "../../../fleet/prometheus.ts";

let server: Server;
let prometheus: Prometheus;
let asked: URL;
let answer: unknown;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked = new URL(request.url ?? "", "http://localhost");
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const cluster = { name: "cluster-a" } as ClusterClient;
  prometheus = new Prometheus(cluster, urlPrometheus("cluster-a", `http://127.0.0.1:${port}/`));
});
afterAll(() => server.close());

describe("queryRange", () => {
  const range = { from: 1_000_500, to: 1_060_500, stepMs: 15_000 };

  it("asks for a stretch of time in seconds, and gives points in milliseconds", async () => {
    const values = [
      [1000.5, "0.25"],
      [1015.5, "NaN"],
    ];
    answer = {
      status: "success",
      data: { resultType: "matrix", result: [{ metric: { cluster: "cluster-a" }, values }] },
    };
    expect(await prometheus.queryRange('up{a="b"}', range)).toEqual([
      {
        labels: { cluster: "cluster-a" },
        points: [
          [1_000_500, 0.25],
          [1_015_500, Number.NaN],
        ],
      },
    ]);
    expect(asked.pathname).toBe("/api/v1/query_range");
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      query: 'up{a="b"}',
      start: "1000.5",
      end: "1060.5",
      step: "15",
    });
  });

  it("does not take another answer for one", async () => {
    answer = { status: "success", data: { resultType: "vector", result: [] } };
    await expect(prometheus.queryRange("up", range)).rejects.toThrow(/matrix/);
  });
});

describe("query", () => {
  const data = { resultType: "vector", result: [{ metric: { a: "b" }, value: [1, "2"] }] };

  it("gives one sample for each series, also with a warning about the query itself", async () => {
    const warnings = ["PromQL warning: bucket label is missing", "PromQL info: not a counter"];
    for (const more of [{}, { warnings: [] }, { warnings, isPartial: false }]) {
      answer = { status: "success", data, ...more };
      expect(await prometheus.query("up")).toEqual([{ labels: { a: "b" }, value: 2 }]);
    }
  });

  it("does not take a part of an answer for the answer", async () => {
    answer = { status: "success", data, warnings: ["No StoreAPIs matched", "PromQL info: x"] };
    await expect(prometheus.query("up")).rejects.toThrow(
      "the answer for cluster-a is only a part: No StoreAPIs matched",
    );
    answer = { status: "success", data, isPartial: true };
    await expect(prometheus.query("up")).rejects.toThrow("only a part: isPartial");
  });
});
