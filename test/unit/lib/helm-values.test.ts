import { describe, expect, it } from "vitest";
import { gatewayLabels, mergeValues } from "../../../lib/helm-values.ts";

describe("Helm values", () => {
  it("merge maps key by key and replace everything else", () => {
    expect(
      mergeValues({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] } }, { d: { e: 1 } }),
    ).toEqual({ a: { b: 1, c: [3] }, d: { e: 1 } });
  });

  it("leave what they merge unchanged", () => {
    const base = { a: { b: 1 } };
    mergeValues(base, { a: { b: 2 } });
    expect(base).toEqual({ a: { b: 1 } });
  });

  it("select gateway pods by the labels that the chart derives from the release", () => {
    expect(gatewayLabels("istio-ingressgateway")).toEqual({
      app: "istio-ingressgateway",
      istio: "ingressgateway",
    });
  });
});
