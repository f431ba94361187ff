import { describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../../../fleet/cluster-client.ts";
import { getBytes } from "../../../../../fleet/pod-http.ts";
import {
  defaultWeights,
  ownRoutes,
  routesOfAll,
} from "../../../../../fleet/routing/istio/envoy.ts";

vi.mock(import("../../../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getBytes: vi.fn<typeof getBytes>(),
}));

function answers(answer: unknown): void {
  vi.mocked(getBytes).mockResolvedValue(Buffer.from(JSON.stringify(answer)));
}

const host = "user-service.user.svc.cluster.local";
const matched = {
  match: { headers: [{ name: "x-canary" }] },
  route: { cluster: `outbound|80|v2|${host}` },
};
const authority = {
  headers: [{ name: ":authority", string_match: { prefix: "user-service.user.cluster-b.mesh" } }],
};

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
    expect(defaultWeights(virtualHost([matched, split]), [host])).toEqual({ v1: 90, v2: 10 });
  });

  it("takes a single destination for 100 %", () => {
    const all = { match: {}, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([matched, all]), [host])).toEqual({ v1: 100 });
  });

  it("takes a match on the host's own name for no condition", () => {
    const all = { match: authority, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([all]), [host])).toEqual({ v1: 100 });
  });

  it.each([
    ["another name", { name: ":authority", string_match: { exact: "other.example.com" } }],
    ["a pattern", { name: ":authority", string_match: { safe_regex: { regex: ".*" } } }],
    ["no such name", { ...authority.headers[0], invert_match: true }],
    ["a header that speaks of one", { name: "x-of", string_match: { exact: ":authority" } }],
  ])("takes a match on %s for a condition", (_, header) => {
    const some = {
      match: { headers: [header] },
      route: { cluster: `outbound|80|v2|${host}` },
    };
    const all = { match: {}, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([some, all]), [host])).toEqual({ v1: 100 });
  });

  it("has no weights where every route needs a header", () => {
    expect(defaultWeights(virtualHost([matched]), [host])).toEqual({});
  });
});

describe("ownRoutes", () => {
  const shop = "shop.example.com";
  const hosts = [host, shop];
  const split = {
    name: "user-service-weights",
    match: { prefix: "/" },
    route: {
      weighted_clusters: {
        clusters: [
          { name: `outbound|80|v1|${host}`, weight: 90 },
          { name: `outbound|80|v2|${host}`, weight: 10 },
        ],
      },
    },
  };
  const testers = {
    match: { prefix: "/", headers: [{ name: "x-canary" }] },
    route: { cluster: `outbound|80|v2|${host}` },
  };
  const toOther = { cluster: "outbound|80||search.search.svc.cluster.local" };

  it.each([
    ["a path", { prefix: "/api" }],
    ["an exact path", { path: "/api" }],
    ["a path by regular expression", { safe_regex: { regex: "/api/.*" } }],
    ["a segment of a path", { path_separated_prefix: "/api" }],
    ["a pattern of a path", { path_match_policy: { name: "template" } }],
    ["a header", { prefix: "/", headers: [{ name: "x-team" }] }],
    ["a query parameter", { prefix: "/", query_parameters: [{ name: "beta" }] }],
    ["a part of the requests", { prefix: "/", runtime_fraction: { default_value: {} } }],
    ["gRPC", { prefix: "/", grpc: {} }],
    ["CONNECT", { connect_matcher: {} }],
  ])("leaves out what others do with %s of the same host", (_, match) => {
    const routes = [testers, { match, route: toOther }, split];
    expect(ownRoutes(routes, hosts)).toEqual([testers, split]);
  });

  it("leaves out what others send to the service by a path", () => {
    const path = { match: { prefix: "/api" }, route: { cluster: `outbound|80|v1|${host}` } };
    expect(ownRoutes([path, split], hosts)).toEqual([split]);
  });

  it("keeps what others send to the service by a header", () => {
    const header = { ...testers, match: { prefix: "/", headers: [{ name: "x-team" }] } };
    expect(ownRoutes([header, split], hosts)).toEqual([header, split]);
  });

  it("leaves out what the service's own route hides", () => {
    expect(ownRoutes([split, { match: { prefix: "/" }, route: toOther }], hosts)).toEqual([split]);
  });

  it("keeps what hides the service's own route", () => {
    const hiding = { match: { prefix: "/" }, route: toOther };
    const routes = ownRoutes([hiding, split], hosts);
    expect(routes).toEqual([hiding, split]);
    expect(defaultWeights(virtualHost(routes), hosts)).toEqual({ "": 100 });
  });

  it("leaves a host out that names a cluster which is away: it leads to what is there", () => {
    const crossing = { cluster: "outbound|80|v1|user-service.user.cluster-b.mesh" };
    const byHost = { match: { prefix: "/", ...authority }, route: crossing };
    expect(defaultWeights(virtualHost([byHost, split]), hosts)).toEqual(
      defaultWeights(virtualHost([split]), hosts),
    );
    expect(defaultWeights(virtualHost([byHost]), hosts)).toEqual({ v1: 100 });
  });

  it("keeps the routes for the service's hosts that name a cluster, with headers and without", () => {
    const crossing = { cluster: "outbound|80|v2|user-service.user.cluster-b.mesh" };
    const byMark = {
      match: { prefix: "/", headers: [...authority.headers, { name: "x-mark" }] },
      route: crossing,
    };
    const byHost = { match: { prefix: "/", ...authority }, route: crossing };
    const routes = [byMark, byHost, testers, split];
    expect(ownRoutes(routes, hosts)).toEqual(routes);
  });

  it("keeps a redirect of the whole host", () => {
    const redirect = { match: { prefix: "/" }, redirect: { https_redirect: true } };
    expect(ownRoutes([redirect, split], hosts)).toEqual([redirect, split]);
  });
});

describe("a gateway that redirects a host to HTTPS on a port of others", () => {
  it("is known by the port on which it routes the host", async () => {
    const shop = "shop.example.com";
    const table = (name: string, more: object) => ({
      last_updated: "2030-01-01T00:00:00Z",
      route_config: { name, virtual_hosts: [{ name: shop, domains: [shop], ...more }] },
    });
    const route = { cluster: `outbound|80|v1|${host}` };
    answers({
      configs: [
        table("http.8080", { require_tls: "ALL" }),
        table("https.443", { routes: [{ match: { prefix: "/" }, route }] }),
      ],
    });
    const pod = { metadata: { name: "gateway", namespace: "istio-ingress" } };
    const cluster = { name: "cluster-a" } as ClusterClient;
    const [routes] = await routesOfAll(cluster, pod, [[host, shop]]);
    expect(routes).toMatchObject({ weights: { v1: 100 } });
  });
});

describe("a proxy with a route table for each port", () => {
  const pod = { metadata: { name: "client", namespace: "user" } };
  const cluster = { name: "cluster-a" } as ClusterClient;
  const table = (name: string, at: string, to: string) => ({
    last_updated: at,
    route_config: {
      name,
      virtual_hosts: [
        {
          name: host,
          domains: [host],
          routes: [{ match: { prefix: "/" }, route: { cluster: to } }],
        },
      ],
    },
  });

  it("tells the weights of each, and when the last one was there", async () => {
    answers({
      configs: [
        table("80", "2030-01-01T00:00:00Z", `outbound|80|v2|${host}`),
        table("9090", "2030-01-01T00:00:05Z", `outbound|9090|v1|${host}`),
      ],
    });
    const [routes] = await routesOfAll(cluster, pod, [[host]]);
    expect(routes?.tables).toEqual({ 80: { v2: 100 }, 9090: { v1: 100 } });
    expect(routes?.updatedAt).toEqual(new Date("2030-01-01T00:00:05Z"));
    expect(Object.keys(routes?.virtualHosts ?? {})).toEqual([`80/${host}`, `9090/${host}`]);
  });

  it("is asked once for all services", async () => {
    const other = "cart.shop.svc.cluster.local";
    const at = "2030-01-01T00:00:00Z";
    const both = table("80", at, `outbound|80|v1|${host}`);
    both.route_config.virtual_hosts.push({
      name: other,
      domains: [other],
      routes: [{ match: { prefix: "/" }, route: { cluster: `outbound|80|v2|${other}` } }],
    });
    vi.mocked(getBytes).mockReset();
    answers({ configs: [both] });
    const found = await routesOfAll(cluster, pod, [[host], [other], ["none.example.com"]]);
    expect(found.map((routes) => routes?.weights)).toEqual([{ v1: 100 }, { v2: 100 }, undefined]);
    expect(getBytes).toHaveBeenCalledTimes(1);
  });

  it("leaves out a port on which others alone serve the host", async () => {
    answers({
      configs: [
        table("http.8080", "2030-01-01T00:00:00Z", "outbound|80||search.search.svc.cluster.local"),
        table("http.9090", "2030-01-01T00:00:00Z", `outbound|80|v1|${host}`),
      ],
    });
    const [routes] = await routesOfAll(cluster, pod, [[host]]);
    expect(routes?.tables).toEqual({ "http.9090": { v1: 100 } });
  });
});
