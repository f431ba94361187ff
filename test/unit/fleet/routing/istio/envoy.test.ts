import { describe, expect, it } from "vitest";

import { defaultWeights } from "../../../../../fleet/routing/istio/envoy.ts";

const host = "user-service.user.svc.cluster.local";
const matched = {
  match: { headers: [{ name: "x-canary" }] },
  route: { cluster: `outbound|80|v2|${host}` },
};
const authority = { headers: [{ name: ":authority" }] };

function virtualHost(routes: Parameters<typeof defaultWeights>[0]["routes"]) {
  return { name: host, domains: [host], routes };
}

describe("defaultWeights", () => {
  it("reads the weights of the route without a header match", () => {
    const split = {
      match: {},
      route: {
        weighted_clusters: {
          clusters: [
            { name: `outbound|80|v1|${host}`, weight: 90 },
            { name: `outbound|80|v2|${host}`, weight: 10 },
          ],
        },
      },
    };
    expect(defaultWeights(virtualHost([matched, split]))).toEqual({ v1: 90, v2: 10 });
  });

  it("takes a single destination for 100 %", () => {
    const all = { match: {}, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([matched, all]))).toEqual({ v1: 100 });
  });

  it("takes a match on the host's own name for no condition", () => {
    const all = { match: authority, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([all]))).toEqual({ v1: 100 });
  });

  it("has no weights where every route needs a header", () => {
    expect(defaultWeights(virtualHost([matched]))).toEqual({});
  });
});
