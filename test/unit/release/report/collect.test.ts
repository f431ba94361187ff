import { describe, expect, it } from "vitest";
import type { RangeMetrics } from "../../../../release/report/collect.ts";
import { reportData } from "../../../../release/report/report-data.ts";
import { fleetSkew } from "../../../../release/report/skew.ts";
import {
  ALERT_STRETCH,
  CLUSTERS,
  eventsOf,
  RELEASE,
  reportOf,
  SERVICE,
  SimulatedPrometheus,
  SKEW_MS,
} from "../../../helpers/simulated-release.ts";

const away: RangeMetrics = { queryRange: () => Promise.reject(new Error("connection refused")) };

describe("a report's data", () => {
  it("has the phases, the end and the last verdicts of each phase of a rollout that is done", async () => {
    const data = await reportOf("good");
    expect(reportData.parse(data)).toEqual(data);
    expect(data).toMatchObject({ release: RELEASE, end: { result: "done" } });
    expect(data.phases.map(({ weight }) => weight)).toEqual([0, 10, 30, 100]);
    expect(data.phases.at(-1)?.to).toBeUndefined();
    expect(data.verdicts.map(({ weight, verdicts }) => [weight, verdicts.length])).toEqual([
      [10, 6],
      [30, 6],
      [100, 6],
    ]);
    expect(data.verdicts[0]?.verdicts.every(({ outcome }) => outcome === "pass")).toBe(true);
    expect(data.events.map(({ event }) => event)).not.toContain("look");
  });

  it("says where a canary was bad that was rolled back", async () => {
    const { end, phases, verdicts } = await reportOf("bad");
    expect(end?.result).toBe("rolled-back");
    expect(end?.reason).toMatch(/^cluster-b: success rate of v2/);
    expect(phases.map(({ weight }) => weight)).toEqual([0, 10, 0]);
    const failed = verdicts[0]?.verdicts.filter(({ outcome }) => outcome === "fail");
    expect(failed).toMatchObject([{ cluster: "cluster-b", gate: "successRate" }]);
  });

  it("has each version's measurements by cluster, from 0 to 1, and weights where they change", async () => {
    const { measurements } = await reportOf("good");
    expect(measurements.map(({ cluster }) => cluster)).toEqual(CLUSTERS);
    for (const { share, weight, weightFrom, errors, p50, p99 } of measurements) {
      for (const series of [share, weight, errors, p50, p99]) {
        expect(series.map(({ version }) => version)).toEqual(["v2", "v1"]);
      }
      expect(weightFrom).toBe("api-server");
      expect(weight[0]?.points.map(([, value]) => value)).toEqual([0, 0.1, 0.3, 1, 1]);
      expect(Math.max(...(share[0]?.points.map(([, value]) => value) ?? []))).toBe(1);
    }
  });

  it("has of what follows the mark of a chain the weights of the phases, since its own are 0", async () => {
    const metrics = new SimulatedPrometheus("cluster-a", "good");
    const { measurements, skew } = await reportOf("good", {
      clusters: ["cluster-a"],
      services: [SERVICE, { ...SERVICE, name: "user/order-service", role: "follower" }],
      metrics: new Map([["cluster-a", metrics]]),
    });
    const [entry, follower] = measurements;
    expect(entry?.weightFrom).toBe("api-server");
    expect(follower?.weightFrom).toBe("mark");
    expect(follower?.weight[0]?.points.map(([, value]) => value)).toEqual([0, 0.1, 0.3, 1]);
    // Nor is it waited for.
    expect(skew.every(({ seen }) => seen.length === 1)).toBe(true);
  });

  it("has when which alert fired in which cluster, and whether it still does", async () => {
    const { alerts, alertsUnknown, weightStepMs } = await reportOf("bad");
    expect(alertsUnknown).toEqual([]);
    const about = { alert: "CanaryErrorRate", cluster: "cluster-b", service: SERVICE.name };
    expect(alerts).toMatchObject([about, { ...about, version: SERVICE.canary }]);
    const [first, last] = alerts;
    const [begin, end] = ALERT_STRETCH;
    expect((first?.from ?? 0) - begin).toBeLessThanOrEqual(weightStepMs);
    expect(end - (first?.to ?? 0)).toBeLessThanOrEqual(weightStepMs);
    expect(last).not.toHaveProperty("to");
    expect((await reportOf("good")).alerts).toEqual([]);
  });

  it("says whose alerts are not known", async () => {
    const metrics = new Map([["cluster-b", away]]);
    expect((await reportOf("bad", { metrics })).alertsUnknown).toEqual(CLUSTERS);
  });

  it("asks for what the rules have recorded of the one service in the one cluster, and leaves out what is no number", async () => {
    const prometheus = new SimulatedPrometheus("cluster-a", "good");
    const { measurements } = await reportOf("good", {
      metrics: new Map([["cluster-a", prometheus]]),
    });
    expect(prometheus.asked).toContain(
      'istio_canary:share:ratio{cluster="cluster-a",destination_service_namespace="user",destination_service_name="user-service"}',
    );
    const [errors] = measurements[0]?.errors ?? [];
    expect(errors?.points.length).toBeGreaterThan(50);
    expect(errors?.points.every(([, value]) => Number.isFinite(value))).toBe(true);
  });

  it("spells the rules out for a Prometheus that has none", async () => {
    const prometheus = new SimulatedPrometheus("cluster-a", "good", false);
    const { measurements } = await reportOf("good", {
      metrics: new Map([["cluster-a", prometheus]]),
    });
    const selector =
      'istio_requests_total{cluster="cluster-a",destination_service_namespace="user",destination_service_name="user-service",reporter="source"}';
    expect(prometheus.asked.some((promql) => promql.includes(`increase(${selector}[60s])`))).toBe(
      true,
    );
    const plain = prometheus.asked.filter((promql) => !promql.startsWith("istio_canary:"));
    expect(plain.length).toBeGreaterThan(3);
    for (const promql of plain) expect(promql).not.toContain("istio_canary:");
    expect(measurements[0]?.share[0]?.points.length).toBeGreaterThan(50);
  });

  it("takes weights from the events where no Prometheus has them", async () => {
    const { measurements, skew } = await reportOf("good", { metrics: new Map() });
    for (const { weight, weightFrom, silent } of measurements) {
      expect(weightFrom).toBe("events");
      expect(weight[0]?.points.map(([, value]) => value)).toEqual([0, 0.1, 0.3, 1]);
      expect(silent).toMatch(/^there is no Prometheus/);
    }
    expect(skew.every(({ seen }) => seen.length === 0)).toBe(true);
  });

  it("says which Prometheus does not answer, and has all the others", async () => {
    const { measurements, skew } = await reportOf("good", {
      metrics: new Map<string, RangeMetrics>([
        ["cluster-a", new SimulatedPrometheus("cluster-a", "good")],
        ["cluster-b", away],
      ]),
    });
    expect(measurements.map(({ cluster, silent }) => [cluster, silent])).toEqual([
      ["cluster-a", undefined],
      ["cluster-b", "connection refused"],
    ]);
    expect(measurements[0]?.share).toHaveLength(2);
    expect(skew[0]).toMatchObject({ seen: [{ cluster: "cluster-a" }], unseen: ["cluster-b"] });
  });

  it("is of the last hour when nothing is remembered, and of the configured release", async () => {
    const data = await reportOf("good", { events: [], release: "configured" });
    expect(data.to - data.from).toBe(3_600_000);
    expect(data).toMatchObject({ release: "configured", phases: [], verdicts: [], skew: [] });
    expect(data.end).toBeUndefined();
  });

  it("is of the last of several rollouts, with what was resumed of it", async () => {
    const before = eventsOf("bad");
    const [begin, ...rest] = eventsOf("good");
    if (begin?.event !== "begin") throw new Error("there is no begin");
    const events = [...before, begin, { ...begin, resumed: true }, ...rest];
    const data = await reportOf("good", { events });
    expect(data.events.filter(({ event }) => event === "begin")).toHaveLength(2);
    expect(data.events.map(({ event }) => event)).not.toContain("roll-back");
    expect(data.phases.map(({ weight }) => weight)).toEqual([0, 10, 30, 100]);
  });
});

describe("fleet skew", () => {
  it("is the time between the first and the last cluster at each weight, up and down", async () => {
    for (const story of ["good", "bad"] as const) {
      const { skew } = await reportOf(story);
      expect(skew.map(({ weight }) => weight)).toEqual(story === "good" ? [10, 30, 100] : [10, 0]);
      for (const { seen, unseen, updateMs } of skew) {
        const [first, second] = seen;
        expect([first?.cluster, second?.cluster]).toEqual(CLUSTERS);
        expect((second?.time ?? 0) - (first?.time ?? 0)).toBe(SKEW_MS);
        expect(unseen).toEqual([]);
        expect(updateMs).toBeGreaterThan(0);
      }
    }
  });

  it("tells two phases of the same weight apart", () => {
    const weights = [0, 10, 0, 10];
    const phases = weights.map((weight, i) => ({ weight, from: i * 60_000 }));
    const points = weights.map((weight, i): [number, number] => [i * 60_000 - 5_000, weight / 100]);
    const measurement = {
      cluster: "cluster-a",
      service: "user/user-service",
      weight: [{ version: "v2", points }],
      weightFrom: "api-server" as const,
      ...{ share: [], errors: [], p50: [], p99: [] },
    };
    const canaries = new Map([["user/user-service", "v2"]]);
    const skew = fleetSkew(phases, [measurement], canaries, []);
    expect(skew.map(({ seen }) => seen[0]?.time)).toEqual([55_000, 115_000, 175_000]);
  });

  it("names a cluster that never came to a weight", async () => {
    const { skew } = await reportOf("good", {
      metrics: new Map([
        ["cluster-a", new SimulatedPrometheus("cluster-a", "good")],
        ["cluster-b", new SimulatedPrometheus("cluster-b", "bad")],
      ]),
    });
    expect(skew.map(({ weight, unseen }) => [weight, unseen])).toEqual([
      [10, []],
      [30, ["cluster-b"]],
      [100, ["cluster-b"]],
    ]);
  });
});
