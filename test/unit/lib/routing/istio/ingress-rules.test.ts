import { describe, expect, it } from "vitest";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";
import type { IngressRouting, RouteArgs } from "../../../../../lib/routing/routing.ts";

const GATEWAY = "istio-ingress/istio-ingressgateway";
const args: RouteArgs = {
  ...{ service: "api", namespace: "shop", clusterDomain: "cluster.local" },
  ...{ stable: "v1", canary: "v2", weight: 10, mirrorPercent: 0 },
  matches: [{ header: { "x-canary": "true" } }],
  ...{ timeout: "10s", retries: { attempts: 2 } },
  crossClusterHosts: ["api.shop.cluster-b.mesh"],
  ...{ ingressHosts: ["shop.example.com"], ingressGateway: GATEWAY },
};
const made = (ingress?: IngressRouting, more: Partial<RouteArgs> = {}) =>
  virtualService({ ...args, ...more, ...(ingress && { ingress }) });
/** Name, match, and what is done to requests, of each rule but those for hosts that name a cluster. */
const rules = (...of: Parameters<typeof made>) =>
  made(...of)
    .spec.http.filter(({ name }) => !name.startsWith("api.shop.cluster-b.mesh"))
    .map((rule) => {
      const { name, match, rewrite, headers } = rule as Record<string, unknown>;
      return { name, match, ...(rewrite ? { rewrite } : {}), ...(headers ? { headers } : {}) };
    });
const asks = { "x-canary": { exact: "true" } };
const here = { gateways: [GATEWAY] };
const paths = [{ exact: "/api" }, { prefix: "/api/" }];

describe("the rules of a service with some paths of a host", () => {
  it("are for these at the gateway, and for its own hosts alone in the mesh", () => {
    const mesh = {
      gateways: ["mesh"],
      withoutHeaders: { ":authority": { regex: "(?i)shop\\.example\\.com(:\\d+)?" } },
    };
    expect(rules({ paths })).toEqual([
      {
        name: "api-ingress-canary",
        match: paths.map((uri) => ({ ...here, uri, headers: asks })),
      },
      { name: "api-ingress-weights", match: paths.map((uri) => ({ ...here, uri })) },
      { name: "api-canary", match: [{ ...mesh, headers: asks }] },
      { name: "api-weights", match: [mesh] },
    ]);
    expect(made({ paths }).metadata.annotations).toMatchObject({
      "istio-canary/ingress-paths": '{"paths":[{"exact":"/api"},{"prefix":"/api/"}]}',
    });
  });

  it("lead every request of both audiences to the versions by the same weights", () => {
    const routes = made({ paths, rewrite: { uri: "/" } })
      .spec.http.filter(({ name }) => name.endsWith("weights"))
      .map(({ route }) => route.map(({ weight }) => weight));
    expect(routes).toEqual([
      [90, 10],
      [90, 10],
      [90, 10],
    ]);
  });
});

describe("the rules of a service with all other paths of a host", () => {
  const leavesOut = { ":path": { regex: "/api(?:\\?.*)?|/api/.*" } };

  it("leave others' paths alone where they ask for a header, and ask for nothing else otherwise", () => {
    expect(rules({ othersPaths: paths })).toEqual([
      {
        name: "api-ingress-canary",
        match: [{ ...here, withoutHeaders: leavesOut, headers: asks }],
      },
      { name: "api-ingress-weights", match: [here] },
      { name: "api-canary", match: [{ gateways: ["mesh"], headers: asks }] },
      { name: "api-weights", match: [{ gateways: ["mesh"] }] },
    ]);
  });

  it("stay as they are without any header", () => {
    const without = { matches: [] };
    expect(rules({ othersPaths: paths }, without)).toEqual(rules(undefined, without));
  });

  it("are told by the gateway alone where there are several ports", () => {
    const ports = [
      { port: 80, protocol: "http" as const },
      { port: 81, protocol: "http" as const },
    ];
    const found = rules({ othersPaths: paths }, { matches: [], ports });
    expect(found.map(({ match }) => match)).toEqual([[here], [{ gateways: ["mesh"] }]]);
  });

  it("leave them alone in a chain, too", () => {
    const chain = { role: "entry" as const, mark: { header: "x-mark", baggage: "b", testers: [] } };
    const byHeader = rules({ othersPaths: paths }, { chain })
      .filter(({ name }) => String(name).startsWith("api-ingress-"))
      .flatMap(({ match }) => (match ?? []) as Record<string, unknown>[])
      .filter((match) => "headers" in match);
    expect(byHeader).toHaveLength(4);
    expect(byHeader.every((match) => "withoutHeaders" in match)).toBe(true);
  });
});

describe("what is done to requests from outside", () => {
  const rewrite = { uri: "/" };
  const headers = { response: { set: { "x-frame-options": "DENY" } } };

  it("is done to those of both versions, and to none of the mesh", () => {
    expect(rules({ rewrite, headers })).toEqual([
      { name: "api-ingress-canary", match: [{ ...here, headers: asks }], rewrite, headers },
      { name: "api-ingress-weights", match: [here], rewrite, headers },
      { name: "api-canary", match: [{ gateways: ["mesh"], headers: asks }] },
      { name: "api-weights", match: [{ gateways: ["mesh"] }] },
    ]);
  });

  it("is nothing without a host of a gateway", () => {
    const inside = { ingressHosts: [] };
    expect(made({ rewrite, paths }, inside).spec).toEqual(made(undefined, inside).spec);
  });
});

describe("gateways of one's own", () => {
  const gateways = ["web/public", "web/internal"];

  it("take the place of the mesh's", () => {
    expect(made({ gateways }).spec.gateways).toEqual(["mesh", ...gateways]);
    expect(made({ gateways }).spec.http).toEqual(made().spec.http);
    expect(rules({ gateways, paths: [{ prefix: "/api" }] })[1]?.match).toEqual([
      { gateways, uri: { prefix: "/api" } },
    ]);
  });
});
