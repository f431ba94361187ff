import { describe, expect, it } from "vitest";
import { canaryRouteObjects } from "../../../../../components/canary-route.ts";
import { saidRoute } from "../../../../../lib/routing/istio/said-route.ts";
import { NOTHING_SAID } from "../../../../../lib/routing/said.ts";

const virtualService = (spec: object, metadata: object = { namespace: "shop" }) => ({
  metadata,
  spec: { hosts: ["cart"], ...spec },
});
const to = (subset: string, weight?: number) => ({
  destination: { host: "cart", subset },
  ...(weight !== undefined && { weight }),
});

describe("what the routing objects of a service say", () => {
  it("is nothing where there are none, or none that can be read", () => {
    expect(saidRoute(undefined, undefined)).toEqual(NOTHING_SAID);
    expect(saidRoute({ spec: 1 }, { spec: 2 })).toEqual(NOTHING_SAID);
    expect(saidRoute(virtualService({}), undefined)).toEqual(NOTHING_SAID);
  });

  it("is the version with most requests, and the share of the other in percent", () => {
    const http = [{ route: [to("v2", 1), to("v1", 3)] }];
    expect(saidRoute(virtualService({ http }), undefined)).toMatchObject({
      ...{ stable: "v1", canary: "v2", weight: 25 },
    });
    const one = saidRoute(virtualService({ http: [{ route: [to("v1")] }] }), undefined);
    expect(one).toMatchObject({ stable: "v1", weight: 0 });
    expect(one.canary).toBeUndefined();
  });

  it("has time limits, retries, CORS and mirrored requests in the config's words", () => {
    const rule = {
      route: [to("v1", 90), to("v2", 10)],
      timeout: "1m30s",
      retries: { attempts: 3, perTryTimeout: "0.5s", retryOn: "5xx" },
      corsPolicy: { allowOrigins: [{ exact: "https://a.example.com" }] },
      mirror: { host: "cart", subset: "v2" },
    };
    expect(saidRoute(virtualService({ http: [rule] }), undefined)).toMatchObject({
      timeout: "90s",
      retries: { attempts: 3, perTryTimeout: "500ms", on: "5xx" },
      corsPolicy: rule.corsPolicy,
      mirrorPercent: 100,
    });
    const half = {
      ...rule,
      timeout: "0s",
      retries: { attempts: 0 },
      mirrorPercentage: { value: 50 },
    };
    expect(saidRoute(virtualService({ http: [half] }), undefined)).toMatchObject({
      ...{ timeout: "none", retries: { attempts: 0 }, mirrorPercent: 50 },
    });
  });

  it("has the gateways with their namespace, and the hosts", () => {
    const spec = {
      hosts: ["cart", "cart.example.com"],
      gateways: ["mesh", "own", "ingress/public"],
      http: [{ route: [{ destination: { host: "cart" } }] }],
    };
    expect(saidRoute(virtualService(spec), undefined)).toMatchObject({
      gateways: ["shop/own", "ingress/public"],
      gatewayHosts: ["cart.example.com"],
    });
    expect(saidRoute(virtualService({ ...spec, gateways: ["mesh"] }), undefined)).toMatchObject({
      ...{ gateways: [], gatewayHosts: [] },
    });
  });

  it("has the label of the subsets, and their policies without the mesh's mTLS", () => {
    const tls = { mode: "ISTIO_MUTUAL" };
    const outlierDetection = { consecutive5xxErrors: 3 };
    const rule = (labels: object) => ({
      spec: {
        host: "cart",
        trafficPolicy: { tls },
        subsets: [
          { name: "v1", labels: { "app.kubernetes.io/version": "v1" } },
          { name: "v2", labels, trafficPolicy: { tls, outlierDetection } },
        ],
      },
    });
    expect(saidRoute(undefined, rule({ "app.kubernetes.io/version": "v2" }))).toMatchObject({
      versions: ["v1", "v2"],
      versionLabel: "app.kubernetes.io/version",
      policy: undefined,
      policies: { v2: { outlierDetection } },
    });
    expect(saidRoute(undefined, rule({ track: "canary" })).versionLabel).toBeUndefined();
    const simple = { spec: { host: "cart", trafficPolicy: { tls: { mode: "SIMPLE" } } } };
    expect(saidRoute(undefined, simple).policy).toEqual({ tls: { mode: "SIMPLE" } });
  });

  it("is of the program's own what it was made from", () => {
    const matches = [{ header: { "x-canary": "true" } }, { cookie: { "a.b": "(c)" } }];
    const { weights, versions } = canaryRouteObjects({
      ...{ service: "cart", namespace: "shop", stable: "1.16.0", canary: "2.0.0", weight: 30 },
      ...{ matches, mirrorPercent: 5, timeout: "none", retries: { attempts: 1, on: "5xx" } },
      crossClusterHosts: ["cart.shop.cluster-b.mesh"],
      ingress: { gateway: "ingress/public", hosts: ["cart.example.com"] },
      ports: [
        { port: 80, protocol: "http" },
        { port: 9090, protocol: "grpc" },
      ],
      existing: { port: 80, versionLabel: "track", serviceAccounts: ["cart"] },
    });
    expect(saidRoute(weights, versions)).toMatchObject({
      ...{
        madeFor: "existing",
        stable: "1.16.0",
        canary: "2.0.0",
        weight: 30,
        versionLabel: "track",
      },
      ...{ matches, mirrorPercent: 5, timeout: "none", retries: { attempts: 1, on: "5xx" } },
      ...{ versions: ["1.16.0", "2.0.0"], gateways: ["ingress/public"] },
    });
    const unnamed = canaryRouteObjects({
      ...{ service: "cart", namespace: "shop", stable: "v1", weight: 0 },
      existing: { port: 80, versionLabel: "version", serviceAccounts: ["cart"] },
    });
    const said = saidRoute(unnamed.weights, unnamed.versions);
    expect(said).toMatchObject({ madeFor: "existing", stable: "v1", timeout: "10s" });
    expect(said.canary).toBeUndefined();
    const made = canaryRouteObjects({
      ...{ service: "cart", namespace: "shop", stable: "v1", weight: 0 },
    });
    expect(saidRoute(made.weights, made.versions).madeFor).toBe("made");
  });
});
