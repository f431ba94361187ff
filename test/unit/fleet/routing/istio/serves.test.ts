import { describe, expect, it } from "vitest";
import { behind } from "../../../../../fleet/routing/istio/serves.ts";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";
import type { RouteArgs } from "../../../../../lib/routing/routing.ts";

const host = "user-service.user.svc.cluster.local";
const args: RouteArgs = {
  service: "user-service",
  namespace: "user",
  clusterDomain: "cluster.local",
  stable: "v1",
  canary: "v2",
  weight: 10,
  matches: [{ header: { "x-canary": "true" } }],
  timeout: "1m30s",
  retries: { attempts: 2 },
  mirrorPercent: 5,
  crossClusterHosts: [],
  ingressHosts: [],
  ingressGateway: "",
};
const to = (version: string) => `outbound|80|${version}|${host}`;
const action = { timeout: "90s", retry_policy: { num_retries: 2 } };

/** What an Envoy holds of a VirtualService with these arguments. */
function envoys(weight: number, mirrored = 50_000) {
  const routes = [
    {
      name: "user-service-canary",
      match: { prefix: "/", headers: [{ name: "x-canary", string_match: { exact: "true" } }] },
      route: { ...action, cluster: to("v2") },
    },
    {
      name: "user-service-weights",
      match: { prefix: "/" },
      route: {
        ...action,
        weighted_clusters: {
          clusters: [
            { name: to("v1"), weight: 100 - weight },
            { name: to("v2"), weight },
          ],
        },
        request_mirror_policies: [
          { cluster: to("v2"), runtime_fraction: { default_value: { numerator: mirrored } } },
        ],
      },
    },
  ];
  const virtualHosts = { [`80/${host}:80`]: { name: host, domains: [host], routes } };
  return [{ of: ["sidecar of user/client"], virtualHosts }];
}

describe("an Envoy that serves the rules of a VirtualService", () => {
  const late = (more: Partial<RouteArgs>, held = envoys(10)) =>
    behind(virtualService({ ...args, ...more }).spec, held);

  it("holds all of them", () => {
    expect(late({})).toEqual([]);
  });

  it("cuts no stream where there is to be no time limit", () => {
    expect(late({ timeout: "none" })).toEqual(["sidecar of user/client"]);
    const endless = envoys(10).map((envoy) => ({
      ...envoy,
      virtualHosts: JSON.parse(
        JSON.stringify(envoy.virtualHosts).replaceAll('"90s"', '"0s"'),
      ) as typeof envoy.virtualHosts,
    }));
    expect(late({ timeout: "none" }, endless)).toEqual([]);
  });

  it.each<Partial<RouteArgs>>([
    { weight: 30 },
    { matches: [] },
    { matches: [{ header: { "x-canary": "1" } }] },
    { mirrorPercent: 0 },
    { mirrorPercent: 10 },
    { timeout: "3s" },
    { retries: { attempts: 1 } },
    { canary: "v3" },
    { canary: undefined },
  ])("is behind while it does not know of %j", (more) => {
    expect(late(more)).toEqual(["sidecar of user/client"]);
  });

  it("is not told of a version that gets nothing", () => {
    const [envoy] = envoys(0);
    const routes = Object.values(envoy?.virtualHosts ?? {})[0]?.routes ?? [];
    const held = {
      of: ["sidecar of user/client"],
      virtualHosts: {
        host: {
          domains: [host],
          routes: [
            routes[0],
            {
              ...routes[1],
              route: { ...routes[1]?.route, weighted_clusters: undefined, cluster: to("v1") },
            },
          ],
        },
      },
    };
    expect(late({ weight: 0 }, [held] as unknown as ReturnType<typeof envoys>)).toEqual([]);
  });
});

describe("an Envoy that marks what it sends to the canary", () => {
  const mark = { header: "x-mark", testers: [] };
  const { spec } = virtualService({
    ...args,
    matches: [],
    mirrorPercent: 0,
    chain: { role: "entry", mark },
  });
  const append_action = "OVERWRITE_IF_EXISTS_OR_ADD";
  const set = [{ header: { key: "x-mark", value: "canary" }, append_action }];

  /** What an Envoy holds whose ways to v1 and v2 do this to headers, at 10 and at 100 %. */
  function held(stable: object, canary: object) {
    const route = {
      ...action,
      weighted_clusters: {
        clusters: [
          { name: to("v1"), weight: 90, ...stable },
          { name: to("v2"), weight: 10, ...canary },
        ],
      },
    };
    const routes = [{ name: "user-service-weights", match: { prefix: "/" }, route }];
    return [{ of: ["client"], virtualHosts: { [host]: { name: host, domains: [host], routes } } }];
  }
  const removes = { request_headers_to_remove: ["x-mark"] };

  it("does so on each way", () => {
    expect(behind(spec, held(removes, { request_headers_to_add: set }))).toEqual([]);
  });

  it.each([
    ["does not mark", removes, {}],
    [
      "marks otherwise",
      removes,
      { request_headers_to_add: [{ header: { key: "x-mark", value: "v2" }, append_action }] },
    ],
    [
      "keeps marks from outside beside its own",
      removes,
      { request_headers_to_add: [{ header: { key: "x-mark", value: "canary" } }] },
    ],
    ["leaves marks from outside", {}, { request_headers_to_add: set }],
    ["marks what goes to stable", { request_headers_to_add: set }, { request_headers_to_add: set }],
  ])("is behind when it %s", (_, stable, canary) => {
    expect(behind(spec, held(stable, canary))).toEqual(["client"]);
  });

  it("has the change on the route where there is one way", () => {
    const full = virtualService({
      ...args,
      canary: undefined,
      mirrorPercent: 0,
      chain: { role: "entry", mark },
    }).spec;
    const one = (more: object) => {
      const routes = [
        {
          name: "user-service-weights",
          match: { prefix: "/" },
          route: { ...action, cluster: to("v1") },
          ...more,
        },
      ];
      return [
        { of: ["client"], virtualHosts: { [host]: { name: host, domains: [host], routes } } },
      ];
    };
    expect(behind(full, one(removes))).toEqual([]);
    expect(behind(full, one({}))).toEqual(["client"]);
  });
});
