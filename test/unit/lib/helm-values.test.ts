import { describe, expect, it } from "vitest";
import { chartInputs, gatewayLabels, mergeValues } from "../../../lib/helm-values.ts";

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

describe("the chart of a release", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  it.each([
    {
      what: "Istio's repository",
      source: {},
      expected: {
        chart: "istiod",
        version: "1.31.0",
        repositoryOpts: { repo: "https://istio-release.storage.googleapis.com/charts" },
      },
    },
    {
      what: "a mirror with a login",
      source: { repository: "https://charts.example.com", username: "me", password: "secret" },
      expected: {
        chart: "istiod",
        version: "1.31.0",
        repositoryOpts: { repo: "https://charts.example.com", username: "me", password: "secret" },
      },
    },
    {
      what: "a registry, which is part of the chart's name, by its digest",
      source: { repository: "oci://registry.example.com/charts/", digests: { istiod: digest } },
      expected: { chart: `oci://registry.example.com/charts/istiod@${digest}`, version: "1.31.0" },
    },
    {
      what: "a registry with a login, without a repository",
      source: { repository: "oci://registry.example.com", username: "me", password: "secret" },
      expected: {
        chart: "oci://registry.example.com/istiod",
        version: "1.31.0",
        repositoryOpts: { username: "me", password: "secret" },
      },
    },
    {
      what: "a folder",
      source: { directory: "/srv/charts" },
      expected: { chart: "/srv/charts/istiod-1.31.0.tgz" },
    },
  ])("comes from $what", ({ source, expected }) => {
    expect(chartInputs(source, "istiod", "1.31.0")).toEqual(expected);
  });
});
