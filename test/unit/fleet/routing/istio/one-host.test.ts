import { describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../../../fleet/cluster-client.ts";
import { getBytes } from "../../../../../fleet/pod-http.ts";
import {
  defaultWeights,
  ownRoutes,
  routesOfAll,
  virtualHostsOf,
} from "../../../../../fleet/routing/istio/envoy.ts";
import { behind } from "../../../../../fleet/routing/istio/serves.ts";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";
import type { RouteArgs } from "../../../../../lib/routing/routing.ts";

vi.mock(import("../../../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getBytes: vi.fn<typeof getBytes>(),
}));

type Route = Parameters<typeof ownRoutes>[0][number];

const shop = "shop.example.com";
const host = (service: string) => `${service}.shop.svc.cluster.local`;
const hosts = (service: string) => [host(service), shop];
const action = { timeout: "10s", retry_policy: { num_retries: 2 } };
const toCanary = (service: string) => ({ ...action, cluster: `outbound|80|v2|${host(service)}` });
const split = (service: string, weight: number) => ({
  ...action,
  weighted_clusters: {
    clusters: [
      { name: `outbound|80|v1|${host(service)}`, weight: 100 - weight },
      { name: `outbound|80|v2|${host(service)}`, weight },
    ],
  },
});
const tester = { name: "x-canary", string_match: { exact: "true" } };
const leavesOut = {
  name: ":path",
  string_match: { safe_regex: { regex: "/api(?:\\?.*)?|/api/.*" } },
  invert_match: true,
  treat_missing_header_as_empty: true,
};
const rewritten = (route: object) => ({ ...route, prefix_rewrite: "/" });

/** What a gateway holds of the two services, in the order in which Istio joins them. */
function gateway(api: number, web: number): Route[] {
  return [
    {
      name: "web-ingress-canary",
      match: { prefix: "/", headers: [leavesOut, tester] },
      route: toCanary("web"),
    },
    { name: "api-ingress-weights", match: { path: "/api" }, route: rewritten(split("api", api)) },
    {
      name: "api-ingress-weights",
      match: { prefix: "/api/" },
      route: rewritten(split("api", api)),
    },
    { name: "web-ingress-weights", match: { prefix: "/" }, route: split("web", web) },
  ];
}
const table = (name: string, routes: readonly Route[], domain = shop) => ({
  last_updated: "2030-01-01T00:00:00Z",
  route_config: { name, virtual_hosts: [{ name: `${domain}:80`, domains: [domain], routes }] },
});
const pod = { metadata: { name: "gateway", namespace: "istio-ingress" } };
const cluster = { name: "cluster-a" } as ClusterClient;
async function served(service: string, ...tables: ReturnType<typeof table>[]) {
  vi.mocked(getBytes).mockResolvedValue(Buffer.from(JSON.stringify({ configs: tables })));
  const [routes] = await routesOfAll(cluster, pod, [hosts(service)]);
  return routes?.weights;
}

describe("a gateway's routes of two services with one host", () => {
  it("are told apart: each one's weights are its own", async () => {
    expect(await served("api", table("http.8080", gateway(10, 30)))).toEqual({ v1: 90, v2: 10 });
    expect(await served("web", table("http.8080", gateway(10, 30)))).toEqual({ v1: 70, v2: 30 });
  });

  it("are not what others send to the service by a path, under another name", () => {
    const foreign = { name: "theirs", match: { prefix: "/old" }, route: split("api", 100) };
    const [, exact, prefix] = gateway(10, 0);
    expect(ownRoutes([foreign, ...gateway(10, 0)], hosts("api"))).toEqual([exact, prefix]);
  });

  it.each<[string, Route["match"]]>([
    ["the same prefix", { prefix: "/api/" }],
    ["a shorter prefix", { prefix: "/a" }],
    ["the same path", { path: "/api" }],
    ["the segment", { path_separated_prefix: "/api" }],
    ["any path", { prefix: "/" }],
    ["any path, as a pattern", { safe_regex: { regex: ".*" } }],
  ])("that others hide by %s do not count as served", (_, match) => {
    const hiding = { match, route: { cluster: "outbound|80||other.web.svc.cluster.local" } };
    const routes = ownRoutes([hiding, ...gateway(10, 0)], hosts("api"));
    expect(routes).toContain(hiding);
    expect(defaultWeights({ name: shop, domains: [shop], routes }, hosts("api"))).toEqual({
      "": 100,
    });
  });

  it.each<[string, Route["match"]]>([
    ["a longer prefix", { prefix: "/api/v2/" }],
    ["a longer segment", { path_separated_prefix: "/api/v2" }],
    ["another path", { path: "/docs" }],
    ["a pattern", { safe_regex: { regex: "/v[0-9]+" } }],
  ])("are served beside what others have for %s", (_, match) => {
    const beside = { match, route: { cluster: "outbound|80||other.web.svc.cluster.local" } };
    const routes = ownRoutes([beside, ...gateway(10, 0)], hosts("api"));
    expect(routes).not.toContain(beside);
  });

  it("are none of a service that has those for hosts of other clusters alone", async () => {
    const crossing = {
      name: "api.shop.cluster-b.mesh-weights",
      match: {
        prefix: "/",
        headers: [{ name: ":authority", string_match: { prefix: "api.shop.cluster-b.mesh" } }],
      },
      route: split("api", 10),
    };
    const routes = [crossing, ...gateway(0, 0).filter(({ name }) => name?.startsWith("web"))];
    expect(await served("api", table("http.8080", routes))).toEqual({});
  });

  it("hide a service's own behind another's for all requests, whatever it has for other clusters", async () => {
    const crossing = {
      match: {
        prefix: "/",
        headers: [{ name: ":authority", string_match: { prefix: "web.shop.cluster-b.mesh" } }],
      },
      route: split("web", 10),
    };
    const foreign = {
      match: { prefix: "/" },
      route: { cluster: "outbound|80||other.web.svc.cluster.local" },
    };
    const own = { name: "web-weights", match: { prefix: "/" }, route: split("web", 10) };
    expect(await served("web", table("http.8080", [crossing, foreign, own]))).toEqual({ "": 100 });
    expect(await served("web", table("http.8080", [crossing, own, foreign]))).toEqual({
      v1: 90,
      v2: 10,
    });
  });
});

describe("a sidecar's routes of two services with one host", () => {
  const mesh = (service: string, weight: number, headers?: readonly object[]): Route => ({
    name: `${service}-weights`,
    match: { prefix: "/", ...(headers && { headers: [...headers] }) },
    route: split(service, weight),
  });
  const apart = {
    name: ":authority",
    string_match: { safe_regex: { regex: "(?i)shop\\.example\\.com(:\\d+)?" } },
    invert_match: true,
    treat_missing_header_as_empty: true,
  };

  it("are those of one of them, which the other does not take for its own", async () => {
    const tables = [table("80", [mesh("web", 30)])];
    expect(await served("api", ...tables)).toBeUndefined();
    expect(await virtualHostsOf(cluster, pod, hosts("api"))).toEqual({});
    expect(Object.keys(await virtualHostsOf(cluster, pod, hosts("web")))).toEqual([
      `80/${shop}:80`,
    ]);
  });

  it("leave the host out of the rules for the mesh, which takes nothing from the service's own", async () => {
    const tables = [table("80", [mesh("api", 10, [apart])], host("api"))];
    expect(await served("api", ...tables)).toEqual({ v1: 90, v2: 10 });
    const other = { ...apart, string_match: { safe_regex: { regex: ".*" } } };
    expect(await served("api", table("80", [mesh("api", 10, [other])], host("api")))).toEqual({});
  });
});

describe("an Envoy that serves the rules of a service with some paths", () => {
  const args = (service: string): RouteArgs => ({
    ...{ service, namespace: "shop", clusterDomain: "cluster.local" },
    ...{ stable: "v1", canary: "v2", weight: 10, matches: [], mirrorPercent: 0 },
    ...{ timeout: "10s", retries: { attempts: 2 }, crossClusterHosts: [] },
    ...{ ingressHosts: [shop], ingressGateway: "istio-ingress/gateway" },
  });
  const paths = [{ exact: "/api" }, { prefix: "/api/" }];
  const api = (ingress: RouteArgs["ingress"] = {}) =>
    virtualService({ ...args("api"), ingress: { paths, rewrite: { uri: "/" }, ...ingress } }).spec;
  const web = virtualService({
    ...args("web"),
    matches: [{ header: { "x-canary": "true" } }],
    weight: 30,
    ingress: { othersPaths: paths },
  }).spec;
  const holds = (routes: readonly Route[], tableName = "http.8080", domain = shop) => [
    {
      of: ["envoy"],
      virtualHosts: { [`${tableName}/${domain}:80`]: { name: domain, domains: [domain], routes } },
    },
  ];

  it("has those of a gateway, among the other service's", () => {
    expect(behind(api(), holds(gateway(10, 30)))).toEqual([]);
    expect(behind(web, holds(gateway(10, 30)))).toEqual([]);
    expect(behind(api(), holds(gateway(0, 30)))).toEqual(["envoy"]);
    expect(behind(web, holds(gateway(10, 0)))).toEqual(["envoy"]);
  });

  it.each<[string, RouteArgs["ingress"]]>([
    ["other paths", { paths: [{ prefix: "/api" }] }],
    ["one path more", { paths: [...paths, { regex: "/v[0-9]+" }] }],
    ["another rewrite", { rewrite: { uri: "/v1/" } }],
    ["a rewrite by a pattern", { rewrite: { uriRegexRewrite: { match: "/api", rewrite: "/" } } }],
    ["another host", { rewrite: { uri: "/", authority: "api.example.com" } }],
    ["a header set", { headers: { request: { set: { "x-prefix": "/api" } } } }],
    ["a header of responses", { headers: { response: { remove: ["server"] } } }],
  ])("is behind while it does not know of %s", (_, ingress) => {
    expect(behind(api(ingress), holds(gateway(10, 30)))).toEqual(["envoy"]);
  });

  it("is behind while its testers' rule takes the other service's paths", () => {
    const routes = gateway(10, 30).map((route) =>
      route.name === "web-ingress-canary"
        ? { ...route, match: { prefix: "/", headers: [tester] } }
        : route,
    );
    expect(behind(web, holds(routes))).toEqual(["envoy"]);
  });

  it("has changes of headers on the route, beside those of each destination", () => {
    const spec = api({
      headers: {
        request: { set: { a: "1" }, add: { b: "2" }, remove: ["c"] },
        response: { set: { d: "4" }, add: { e: "5" }, remove: ["f"] },
      },
    });
    const set = (key: string, value: string) => ({
      header: { key, value },
      append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    const add = (key: string, value: string) => ({ header: { key, value } });
    const changed = {
      request_headers_to_add: [set("a", "1"), add("b", "2")],
      request_headers_to_remove: ["c"],
      response_headers_to_add: [set("d", "4"), add("e", "5")],
      response_headers_to_remove: ["f"],
    };
    const routes = (more: object) => gateway(10, 30).map((route) => ({ ...route, ...more }));
    expect(behind(spec, holds(routes(changed)))).toEqual([]);
    const added = { ...changed, request_headers_to_add: [add("a", "1"), add("b", "2")] };
    expect(behind(spec, holds(routes(added)))).toEqual(["envoy"]);
  });

  it("has those of the mesh in a sidecar, and what it has of the other service is no concern", () => {
    const apart = {
      name: ":authority",
      string_match: { safe_regex: { regex: "(?i)shop\\.example\\.com(:\\d+)?" } },
      invert_match: true,
      treat_missing_header_as_empty: true,
    };
    const own: Route = {
      name: "api-weights",
      match: { prefix: "/", headers: [apart] },
      route: split("api", 10),
    };
    expect(behind(api(), holds([own], "80", host("api")))).toEqual([]);
    expect(behind(api(), holds([own]))).toEqual(["envoy"]);
    const others = { name: "web-weights", match: { prefix: "/" }, route: split("web", 30) };
    expect(behind(api(), holds([others], "80"))).toEqual([]);
    expect(behind(api(), holds([others]))).toEqual(["envoy"]);
  });
});
