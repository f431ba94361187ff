import { describe, expect, it } from "vitest";
import { readings } from "../../../../release/gates/readings.ts";
import { heldWhereAllIdle, verdict } from "../../../../release/gates/verdict.ts";
import { fullMetrics, gateSettings, judged, phase } from "../../../helpers/gate-readings.ts";
import { FakeMetrics, hasSamples, requests } from "../../../helpers/metrics.ts";

describe("idle clusters", () => {
  const settled = async (...answers: ConstructorParameters<typeof FakeMetrics>[0][]) => {
    const [gate] = gateSettings.gates;
    if (!gate) throw new Error("there is no gate");
    const verdicts = await Promise.all(
      answers.map(async (each, i) => {
        const fake = new FakeMetrics([hasSamples, ...each]);
        const [first] = await readings(`cluster-${i}`, fake, judged, gateSettings, phase);
        if (!first) throw new Error("there is no reading");
        return verdict(gate, first, 10, { risk: 0.001, minSamples: 100 });
      }),
    );
    return heldWhereAllIdle(verdicts).map(({ outcome, blind, text }) => ({ outcome, blind, text }));
  };
  const idle: ConstructorParameters<typeof FakeMetrics>[0] = [
    ["== 1)", [{ labels: {}, value: 3 }]],
  ];
  const busy: ConstructorParameters<typeof FakeMetrics>[0] = [
    ["istio_requests_total", [requests("v1", "200", 9000), requests("v2", "200", 1000)]],
  ];
  const name = "success rate of v2 of user/user-service: idle, neither version got a request";

  it("are named, and not waited for", async () => {
    const [first, second] = await settled(busy, idle);
    expect(first?.outcome).toBe("pass");
    expect(second).toEqual({ outcome: "idle", blind: false, text: `cluster-1: ${name}` });
  });

  it("hold where all are: nothing of the canary has been seen", async () => {
    expect(await settled(idle, idle)).toEqual(
      [0, 1].map((i) => ({
        outcome: "hold",
        blind: false,
        text: `cluster-${i}: ${name}, and no other cluster either`,
      })),
    );
  });
});

describe("a verdict", () => {
  it("names cluster, metric, value, bounds, samples and limit", async () => {
    const found = await readings("cluster-b", fullMetrics(), judged, gateSettings, phase);
    const [reading] = found;
    const [gate] = gateSettings.gates;
    if (!reading || !gate) throw new Error("there is no gate");
    const judgedBad = verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 });
    expect(judgedBad.outcome).toBe("fail");
    expect(judgedBad.text).toMatch(
      /^cluster-b: success rate of v2 of user\/user-service: 72\.0 % \(confidence interval \d\d\.\d … \d\d\.\d %\) of 100 requests, at least 98\.4 %$/,
    );
  });

  it("is blind, not bad, without an answer", () => {
    const [gate] = gateSettings.gates;
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
