import { describe, expect, it } from "vitest";
import type { Metrics } from "../../../../release/gates/counters.ts";
import { readings } from "../../../../release/gates/readings.ts";
import { HORIZON_MS, RISK_OF_WHOLE, restarts } from "../../../../release/gates/restarts.ts";
import { verdict } from "../../../../release/gates/verdict.ts";
import { gateSettings, judged, phase } from "../../../helpers/gate-readings.ts";
import { bucket, hasSamples, requests, unreached } from "../../../helpers/metrics.ts";

describe("a fault that begins late", () => {
  /** A Prometheus that gives other counts for stretches that are no longer than so many seconds. */
  const changing = (lastSeconds: number, good: number, bad: number): Metrics => ({
    query: (promql) => {
      if (promql.includes("count(last_over_time(up")) return Promise.resolve(hasSamples[1]);
      if (!promql.startsWith("sum by")) return Promise.resolve([]);
      const seconds = Number(/\[(\d+)s\]/.exec(promql)?.[1]);
      const failed = Math.min(seconds, lastSeconds) * bad;
      const all = seconds * good;
      if (promql.includes("_bucket")) {
        return Promise.resolve(
          ["v1", "v2"].flatMap((version) => [
            bucket(version, "500", all),
            bucket(version, "+Inf", all),
          ]),
        );
      }
      return Promise.resolve([
        requests("v1", "200", 9 * all),
        requests("v2", "200", all - failed),
        promql.includes('reporter="source"')
          ? unreached("UF", failed)
          : requests("v2", "503", failed),
      ]);
    },
  });
  const HOUR = 3_600_000;
  const outcomes = async (metrics: Metrics, lasted = 24 * HOUR) => {
    const now = phase.since + phase.settleMs + lasted;
    const found = await readings("cluster-b", metrics, judged, gateSettings, { ...phase, now });
    return gateSettings.gates.flatMap((gate) => {
      const reading = found.find((each) => each.gate === gate.name);
      return reading ? [verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 })] : [];
    });
  };

  it("fails what the whole phase hides, and says since when", async () => {
    const verdicts = await outcomes(changing(90, 50, 2.5));
    const failed = verdicts.filter(({ outcome }) => outcome === "fail");
    expect(failed.map(({ gate }) => gate)).toEqual(["successRate", "unreached"]);
    for (const { text } of failed)
      expect(text).toMatch(/ in the last (60|120|240) s(?: \(UF \d+\))?$/);
    expect((await outcomes(changing(0, 50, 2.5))).map(({ outcome }) => outcome)).not.toContain(
      "fail",
    );
  });

  it("is looked for in stretches of the phase alone", () => {
    expect(restarts(119_000)).toEqual([]);
    expect(restarts(120_000).map(({ seconds }) => seconds)).toEqual([60]);
    expect(restarts(515_000).map(({ seconds }) => seconds)).toEqual([95, 155, 275]);
    for (let minutes = 2; minutes < 300; minutes += 0.25) {
      for (const { seconds } of restarts(minutes * 60_000)) {
        expect(seconds).toBeLessThan(minutes * 60);
      }
    }
  });

  it("has no more risk over the horizon than the gate's, with the whole phase", () => {
    const begun = new Map<string, number>();
    for (let at = 0; at <= HORIZON_MS; at += 15_000) {
      for (const { seconds, riskPart } of restarts(at)) {
        begun.set(`${at / 1000 - seconds} ${riskPart}`, riskPart);
      }
    }
    const total = [...begun.values()].reduce((sum, each) => sum + each, RISK_OF_WHOLE);
    expect(total).toBeLessThanOrEqual(1);
    expect(total).toBeGreaterThan(0.95);
  });
});
