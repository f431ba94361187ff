import { describe, expect, it } from "vitest";
import {
  destinationRuleDifferences,
  virtualServiceDifferences,
  virtualServiceText,
} from "../../../../../lib/routing/istio/adoption.ts";
import { destinationRule } from "../../../../../lib/routing/istio/destination-rule.ts";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";
import type { RouteArgs } from "../../../../../lib/routing/routing.ts";

const name = { service: "shop", namespace: "web" };
const existing = { port: 9080, versionLabel: "version", serviceAccounts: ["default"] };
const scope = {
  namespace: "web",
  ownHost: "shop.web.svc.cluster.local",
  outside: ["shop.example.com"],
  port: 9080,
};

/** What the program would make of a config. */
function planned(more: Partial<RouteArgs> = {}): unknown {
  return virtualService({
    ...name,
    ...{ stable: "v1", canary: "v2", weight: 10, matches: [], mirrorPercent: 0 },
    ...{ clusterDomain: "cluster.local", timeout: "none", retries: { attempts: 2 } },
    crossClusterHosts: ["shop.web.cluster-b.mesh"],
    ...{ ingressHosts: [], ingressGateway: "istio-ingress/gateway", existing },
    ...more,
  }).spec;
}
const to = (subset: string, weight?: number, host = "shop") => ({
  destination: { host, subset },
  ...(weight !== undefined && { weight }),
});
const split = [to("v1", 90), to("v2", 10)];
const spec = (rule: object, more: object = {}) => ({ hosts: ["shop"], http: [rule], ...more });
const differences = (live: unknown, more?: Partial<RouteArgs>) =>
  virtualServiceDifferences(live, planned(more), scope);

describe("a VirtualService of others", () => {
  it("does what the program's does, however it is written", () => {
    expect(differences(spec({ route: split }))).toEqual([]);
    expect(
      differences({
        hosts: ["shop.web.svc.cluster.local"],
        gateways: ["mesh"],
        exportTo: ["*"],
        http: [
          {
            name: "theirs",
            match: [{ uri: { prefix: "/" } }],
            route: [
              {
                destination: { host: "shop.web", subset: "v2", port: { number: 9080 } },
                weight: 1,
              },
              to("v1", 9, "shop.web.svc.cluster.local"),
            ],
            retries: { attempts: 2 },
          },
        ],
      }),
    ).toEqual([]);
    expect(differences(spec({ route: [to("v1")] }), { weight: 0 })).toEqual([]);
    const all = { route: [{ destination: { host: "shop" } }] };
    expect(differences(spec(all), { canary: undefined, weight: 0 })).toEqual([]);
  });

  it("is compared with its limits, its testers, its copies and its gateways", () => {
    const tester = { headers: { "x-canary": { exact: "true" } } };
    const live = {
      hosts: ["shop.example.com", "shop"],
      gateways: ["istio-ingress/gateway", "mesh"],
      http: [
        { match: [tester], route: [to("v2")], timeout: "5s", retries: { attempts: 0 } },
        {
          route: split,
          ...{ timeout: "5000ms", retries: { attempts: 0 } },
          ...{ mirror: { host: "shop", subset: "v2" }, mirrorPercentage: { value: 20 } },
        },
      ],
    };
    const same: Partial<RouteArgs> = {
      matches: [{ header: { "x-canary": "true" } }],
      ...{ timeout: "5s", retries: { attempts: 0 }, mirrorPercent: 20 },
      ingressHosts: ["shop.example.com"],
    };
    expect(differences(live, same)).toEqual([]);
    expect(differences(live, { ...same, mirrorPercent: 0 })).toEqual([
      "spec.http[1].mirror is 20 % to v2, but the config makes it nothing (mirrorPercent)",
    ]);
    expect(differences(live, { ...same, ingressHosts: [] })).toEqual([
      'spec.hosts is ["shop.example.com","shop.web.svc.cluster.local"], but the config makes it ["shop.web.svc.cluster.local"] (ingressHosts)',
      'spec.gateways is ["istio-ingress/gateway","mesh"], but the config makes it ["mesh"] (ingressHosts, ingressGateways)',
    ]);
    expect(differences(live, { ...same, matches: [] })).toContain(
      "spec.http[1] (10 % to v2, 90 % to v1) has no counterpart in the config (matches)",
    );
  });

  it.each([
    [{ route: [to("v1", 75), to("v2", 25)] }, "spec.http[0].route is 25 % to v2, 75 % to v1, but"],
    [
      { route: [{ destination: { host: "shop" } }] },
      "spec.http[0].route is 100 % to all pods, but",
    ],
    [{ route: [to("v1", 90), to("v2", 10, "other")] }, "10 % to v2 of other, 90 % to v1, but"],
    [
      { route: split, timeout: "5s" },
      "spec.http[0].timeout is 5000ms, but the config makes it none",
    ],
    [{ route: split, retries: { attempts: 3 } }, 'spec.http[0].retries is {"attempts":3,'],
    [{ route: split, match: [{ uri: { prefix: "/api" } }] }, "spec.http[0].match is "],
    [
      { route: split, fault: { abort: { httpStatus: 500 } } },
      'spec.http[0].fault is {"abort":{"httpStatus":500}}, which this program cannot express',
    ],
    [
      { route: [{ ...to("v1", 90), headers: { request: { remove: ["a"] } } }, to("v2", 10)] },
      '90 % to v1 with {"headers":{"request":{"remove":["a"]}}}, but',
    ],
  ])("differs in what requests would notice: %j", (rule, text) => {
    expect(differences(spec(rule))).toEqual([expect.stringContaining(text)]);
  });

  describe("with rules by path, rewrites and headers", () => {
    const gateway = ["istio-ingress/gateway"];
    const prefix = { uri: { prefix: "/api/" } };
    const headers = { response: { set: { a: "1" } } };
    const outside = { match: [{ gateways: gateway, ...prefix }], route: split };
    const live = (...http: object[]) => ({
      hosts: ["shop.example.com", "shop"],
      gateways: [...gateway, "mesh"],
      http,
    });
    const same: Partial<RouteArgs> = {
      ingressHosts: ["shop.example.com"],
      ingress: { paths: [{ prefix: "/api/" }], rewrite: { uri: "/" }, headers },
    };
    const inside = { match: [{ gateways: ["mesh"] }], route: split };

    it("does what the config says of requests from outside", () => {
      const theirs = { ...outside, rewrite: { uri: "/" }, headers };
      expect(differences(live(theirs, inside), same)).toEqual([]);
    });

    it("differs in what they do there", () => {
      expect(differences(live({ ...outside, headers }, inside), same)).toEqual([
        'spec.http[0].rewrite is nothing, but the config makes it {"uri":"/"} (rewrite)',
      ]);
      const theirs = { ...outside, rewrite: { uri: "/" } };
      expect(differences(live(theirs, inside), same)).toEqual([
        'spec.http[0].headers is nothing, but the config makes it {"response":{"set":{"a":"1"}}} (headers)',
      ]);
      const other = { ...theirs, headers, match: [{ gateways: gateway, uri: { exact: "/api" } }] };
      expect(differences(live(other, inside), same)).toEqual([
        'spec.http[0].match is [{"uri":{"exact":"/api"}}], but the config makes it [{"uri":{"prefix":"/api/"}}] (matches, ingressPaths)',
      ]);
    });

    it("differs where they are for the mesh too, or take more of the host", () => {
      const theirs = { ...outside, rewrite: { uri: "/" }, headers };
      expect(differences(live({ ...theirs, match: [prefix] }, inside), same)).toEqual([
        'spec.http[0].rewrite is {"uri":"/"}, but the config makes it nothing (rewrite)',
        'spec.http[0].headers is {"response":{"set":{"a":"1"}}}, but the config makes it nothing (headers)',
        'spec.http[0].match is [{"uri":{"prefix":"/api/"}}], but the config makes it nothing (matches, ingressPaths)',
        "spec.http[1] (10 % to v2, 90 % to v1) has no counterpart in the config for mesh (matches, ingressPaths)",
      ]);
      expect(differences(live(theirs, { route: split }), same)).toEqual([
        "spec.http[1] (10 % to v2, 90 % to v1) has no counterpart in the config for istio-ingress/gateway (matches, ingressPaths)",
      ]);
    });
  });

  it("is refused with rules for other protocols, and for single namespaces", () => {
    expect(differences(spec({ route: split }, { tcp: [{}], exportTo: ["."] }))).toEqual([
      "spec.tcp is [{}], which this program cannot express",
      'spec.exportTo is ["."], which this program cannot express',
    ]);
  });

  it("tells where requests go", () => {
    expect(virtualServiceText(spec({ route: split }), scope)).toBe("10 % to v2, 90 % to v1");
  });
});

describe("a DestinationRule of others", () => {
  const rule = (more: object = {}, subset: object = {}) => ({
    host: "shop",
    subsets: [
      { name: "v1", labels: { version: "v1" }, ...subset },
      { name: "v3", labels: { version: "v3" } },
    ],
    ...more,
  });
  const ours = (policies?: Parameters<typeof destinationRule>[0]["policies"]) =>
    destinationRule({
      ...{ ...name, clusterDomain: "cluster.local", versions: ["v1", "v2"], stable: "v1" },
      ...{ existing, policies },
    }).spec;

  it("may say more of versions that no rule names, and the mesh's own mTLS", () => {
    expect(destinationRuleDifferences(rule(), ours(), scope)).toEqual([]);
    const tls = { trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } } };
    expect(destinationRuleDifferences(rule(tls), ours(), scope)).toEqual([]);
    const loadBalancer = { simple: "LEAST_REQUEST" };
    const live = rule({ trafficPolicy: { loadBalancer, tls: { mode: "ISTIO_MUTUAL" } } });
    expect(destinationRuleDifferences(live, ours({ all: { loadBalancer } }), scope)).toEqual([]);
    expect(destinationRuleDifferences(live, ours(), scope)).toEqual([
      'spec.trafficPolicy is {"loadBalancer":{"simple":"LEAST_REQUEST"}}, but the config makes it nothing (trafficPolicy)',
    ]);
  });

  it("differs where its subsets select other pods, or it is not for everyone", () => {
    expect(
      destinationRuleDifferences(
        rule({ workloadSelector: {} }, { labels: { release: "v1" } }),
        ours(),
        scope,
      ),
    ).toEqual([
      "spec.workloadSelector is {}, which this program cannot express",
      'spec.subsets[v1].labels is {"release":"v1"}, but the config makes it {"version":"v1"} (versionLabel)',
    ]);
    const plain = rule({ trafficPolicy: { tls: { mode: "DISABLE" } } });
    expect(destinationRuleDifferences(plain, ours(), scope)).toHaveLength(1);
  });
});
