import { describe, expect, it } from "vitest";
import type { Metrics } from "../../../../release/gates/queries.ts";
import { readings, type Phase } from "../../../../release/gates/readings.ts";
import { gatesOf, verdict } from "../../../../release/gates/verdict.ts";
import { bucket, FakeMetrics, hasSamples, requests } from "../../../helpers/metrics.ts";
import { schema } from "../../../../stacks/schema.ts";

const judged = {
  service: "user-service",
  namespace: "user",
  host: "user-service.user.svc.cluster.local",
  stable: "v1",
  canary: "v2",
};
const T0 = Date.UTC(2026, 0, 1);
const phase: Phase = {
  weight: 10,
  since: T0,
  now: T0 + 330_000,
  settleMs: 30_000,
  beforeMs: 600_000,
};

const query = {
  name: "checkout",
  bad: 'sum(increase(bad{version="{{version}}",namespace="{{namespace}}"}[{{window}}]))',
  all: "sum(increase(all_of_{{version}}_in_{{cluster}}[{{window}}]))",
};
const config = schema.rollout.parse({ gates: { queries: [query] } }).gates;
const settings = { config, gates: gatesOf(config) };

/** A Prometheus that has samples of the last seconds only. */
const hasSome = (seconds: number) =>
  [["time() - min(min_over_time(timestamp(up", [{ labels: {}, value: seconds }]]] as const;

const full = (known: ConstructorParameters<typeof FakeMetrics>[0] = [hasSamples]) =>
  new FakeMetrics([
    ...known,
    [
      "istio_requests_total",
      [
        requests("v1", "200", 895),
        requests("v1", "503", 5),
        requests("v2", "200", 70),
        requests("v2", "404", 2),
        requests("v2", "500", 25),
        requests("v2", "503", 3),
      ],
    ],
    [
      "istio_request_duration_milliseconds_bucket",
      [
        bucket("v1", "500.0", 890),
        bucket("v1", "+Inf", 900),
        bucket("v2", "500", 96),
        bucket("v2", "+Inf", 100),
      ],
    ],
    ["bad{", [{ labels: {}, value: 2.0000001 }]],
    ["all_of_", [{ labels: {}, value: 50 }]],
  ]);

describe("readings", () => {
  it("counts failed and slow requests of both versions, the canary's share, and what own queries count", async () => {
    const found = await readings("cluster-b", full(), judged, settings, phase);
    expect(found.map(({ gate, counts }) => [gate, counts])).toEqual([
      ["successRate", { canary: { hits: 28, trials: 100 }, stable: { hits: 5, trials: 900 } }],
      ["latency", { canary: { hits: 4, trials: 100 }, stable: { hits: 10, trials: 900 } }],
      ["share", { canary: { hits: 100, trials: 1000 }, stable: { hits: 0, trials: 0 } }],
      ["checkout", { canary: { hits: 2, trials: 50 }, stable: { hits: 2, trials: 50 } }],
    ]);
  });

  it("asks for the cluster's own requests since the weight has settled", async () => {
    const fake = full();
    await readings("cluster-b", fake, judged, settings, phase);
    const asked = fake.asked.find(({ promql }) =>
      promql.startsWith("sum by (destination_version, response"),
    );
    const series =
      'istio_requests_total{reporter="destination",destination_cluster="cluster-b",destination_service="user-service.user.svc.cluster.local"}';
    expect(asked?.promql).toBe(
      `sum by (destination_version, response_code) (((last_over_time(${series}[300s]) - last_over_time(${series}[5m] offset 300s)) >= 0) or last_over_time(${series}[300s]))`,
    );
    expect(asked?.at).toEqual(new Date(phase.now));
    expect(fake.asked.map(({ promql }) => promql)).toContain(
      "sum(increase(all_of_v2_in_cluster-b[300s]))",
    );
  });

  it("compares with what stable got before the phase where it gets nothing in it", async () => {
    const fake = full();
    await readings("cluster-b", fake, judged, settings, { ...phase, weight: 100 });
    const earlier = fake.asked.filter(({ at }) => at?.getTime() === T0);
    expect(earlier.length).toBeGreaterThan(0);
    expect(earlier.every(({ promql }) => /\[600s\]|offset 600s/.test(promql))).toBe(true);
  });

  it("counts from when a Prometheus knows every counter again that has lost what it had", async () => {
    const fake = full(hasSome(100.4));
    const found = await readings("cluster-b", fake, judged, settings, phase);
    expect(found.map(({ counts }) => counts?.canary.trials)).toEqual([100, 100, 1000, 50]);
    const counted = fake.asked.filter(({ promql }) => promql.includes("istio_requests_total"));
    expect(counted).toHaveLength(1);
    expect(counted[0]?.promql).toContain("offset 70s)");
    expect(counted[0]?.promql).not.toContain("300s");
  });

  it("counts nothing until it does", async () => {
    const fake = full(hasSome(20));
    const found = await readings("cluster-b", fake, judged, settings, phase);
    expect(found.map(({ counts }) => counts?.canary.trials)).toEqual([0, 0, 0, 0]);
    expect(fake.asked.every(({ promql }) => promql.includes("up{"))).toBe(true);
  });

  it("counts nothing yet until the weight has settled, and no share at weight 0", async () => {
    const fake = full();
    const early = await readings("cluster-b", fake, judged, settings, {
      ...phase,
      now: T0 + 30_500,
    });
    expect(fake.asked).toEqual([]);
    expect(early.every(({ counts }) => counts?.canary.trials === 0)).toBe(true);
    const trial = await readings("cluster-b", full(), judged, settings, { ...phase, weight: 0 });
    expect(trial.map(({ gate }) => gate)).toEqual(["successRate", "latency", "checkout"]);
  });

  it("counts no share before the pods have been read for as long as the weight had to settle", async () => {
    const trials = async (now: number) => {
      const found = await readings("cluster-b", full(), judged, settings, { ...phase, now });
      return found.map(({ gate, counts }) => [gate, counts?.canary.trials]);
    };
    expect(await trials(T0 + 59_000)).toContainEqual(["share", 0]);
    expect(await trials(T0 + 59_000)).toContainEqual(["successRate", 100]);
    expect(await trials(T0 + 60_000)).toContainEqual(["share", 1000]);
  });

  it("says why a Prometheus gives no counts", async () => {
    const away: Metrics = { query: () => Promise.reject(new Error("connection refused")) };
    const found = await readings("cluster-b", away, judged, settings, phase);
    expect(found).toHaveLength(4);
    for (const { counts, silent } of found) {
      expect(counts).toBeUndefined();
      expect(silent).toBe("connection refused");
    }
  });
});

describe("a verdict", () => {
  it("names cluster, metric, value, bounds, samples and limit", async () => {
    const found = await readings("cluster-b", full(), judged, settings, phase);
    const [reading] = found;
    const [gate] = settings.gates;
    if (!reading || !gate) throw new Error("there is no gate");
    const judgedBad = verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 });
    expect(judgedBad.outcome).toBe("fail");
    expect(judgedBad.text).toMatch(
      /^cluster-b: success rate of v2 of user\/user-service: 72\.0 % \(confidence interval \d\d\.\d … \d\d\.\d %\) of 100 requests, at least 98\.4 %$/,
    );
  });

  it("is blind, not bad, without an answer", () => {
    const [gate] = settings.gates;
    if (!gate) throw new Error("there is no gate");
    const reading = {
      cluster: "cluster-b",
      service: "user/user-service",
      version: "v2",
      gate: gate.name,
      counts: undefined,
      silent: "connection refused",
    };
    expect(verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 })).toMatchObject({
      outcome: "hold",
      blind: true,
      text: "cluster-b: success rate of v2 of user/user-service is unknown: connection refused",
    });
  });
});
