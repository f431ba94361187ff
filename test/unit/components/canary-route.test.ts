import { describe, expect, it } from "vitest";
import * as k8s from "@pulumi/kubernetes";
import { CanaryRoute, type CanaryRouteArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";

const args: CanaryRouteArgs = {
  service: "user-service",
  namespace: "user",
  stable: "v1",
  canary: "v2",
  weight: 10,
  matches: [{ header: { "x-canary": "true" } }, { cookie: { canary: "always" } }],
  crossClusterHosts: ["user-service.user.cluster-b.mesh"],
  ingress: { gateway: "istio-ingress/istio-ingressgateway", hosts: ["user.example.com"] },
};
const OWN = "user-service.user.svc.cluster.local";
const FAR = "user-service.user.cluster-b.mesh";
const policy = {
  timeout: "10s",
  retries: { attempts: 2, retryOn: "connect-failure,refused-stream,unavailable,cancelled" },
};
const split = (host: string) => [
  { destination: { host, subset: "v1" }, weight: 90 },
  { destination: { host, subset: "v2" }, weight: 10 },
];

async function specs(more: Partial<CanaryRouteArgs> = {}) {
  const program = await record(({ opts }) => {
    new CanaryRoute("route", { ...args, ...more }, opts);
  });
  return {
    program,
    rule: program.named("route-rule").inputs["spec"],
    weights: program.named("route-weights").inputs["spec"] as { hosts: string[]; http: unknown[] },
  };
}

describe("CanaryRoute", () => {
  it("registers one DestinationRule and one VirtualService in the component's cluster", async () => {
    const { program } = await specs();
    expect(children(program, "route")).toEqual([
      "kubernetes:networking.istio.io/v1:DestinationRule route-rule",
      "kubernetes:networking.istio.io/v1:VirtualService route-weights",
    ]);
    expect(program.named("route").type).toBe("istio-canary:mesh:CanaryRoute");
    const versions = { "istio-canary/stable": "v1", "istio-canary/canary": "v2" };
    for (const [child, more] of [
      [program.named("route-rule"), {}],
      [program.named("route-weights"), { labels: versions }],
    ] as const) {
      expect(child.provider).toBe("here");
      expect(child.inputs["metadata"]).toEqual({
        name: "user-service",
        namespace: "user",
        ...more,
        annotations: { "pulumi.com/patchForce": "true" },
      });
      expect(program.waitsFor(child, program.named("before"))).toBe(true);
    }
  });

  it("names its versions in labels of the VirtualService, by which alerts know them at any weight", async () => {
    const labels = async (more: Partial<CanaryRouteArgs>) =>
      ((await specs(more)).program.named("route-weights").inputs["metadata"] as { labels: object })
        .labels;
    const both = { "istio-canary/stable": "v1", "istio-canary/canary": "v2" };
    expect(await labels({})).toEqual(both);
    expect(await labels({ weight: 0 })).toEqual(both);
    expect(await labels({ canary: undefined, weight: 0 })).toEqual({
      "istio-canary/stable": "v1",
      "istio-canary/canary": "",
    });
  });

  it("is never without its weights because a replacement ends the object that it has just made", async () => {
    const { program } = await specs();
    expect(program.named("route-weights").deleteBeforeReplace).toBe(true);
  });

  it("has a subset for each version, over mutual TLS", async () => {
    const { rule } = await specs();
    expect(rule).toEqual({
      host: OWN,
      trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } },
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "v2", labels: { version: "v2" } },
      ],
    });
  });

  it("sends each host's requests to that host's subsets, those that ask for the canary first", async () => {
    const { weights } = await specs();
    const cookie = { regex: "(?:.*;\\s*)?canary=always(?:\\s*;.*)?" };
    const authority = { prefix: FAR };
    expect(weights).toEqual({
      hosts: [OWN, FAR, "user.example.com"],
      gateways: ["mesh", "istio-ingress/istio-ingressgateway"],
      http: [
        {
          name: `${FAR}-canary`,
          match: [
            { authority, headers: { "x-canary": { exact: "true" } } },
            { authority, headers: { cookie } },
          ],
          route: [{ destination: { host: FAR, subset: "v2" } }],
          ...policy,
        },
        { name: `${FAR}-weights`, match: [{ authority }], route: split(FAR), ...policy },
        {
          name: "user-service-canary",
          match: [{ headers: { "x-canary": { exact: "true" } } }, { headers: { cookie } }],
          route: [{ destination: { host: OWN, subset: "v2" } }],
          ...policy,
        },
        { name: "user-service-weights", route: split(OWN), ...policy },
      ],
    });
  });

  it("lists both versions at weight 0 too, and still lets matches reach the canary", async () => {
    const { weights } = await specs({ weight: 0, crossClusterHosts: [] });
    expect(weights.http).toMatchObject([
      { route: [{ destination: { subset: "v2" } }] },
      {
        route: [
          { destination: { subset: "v1" }, weight: 100 },
          { destination: { subset: "v2" }, weight: 0 },
        ],
      },
    ]);
  });

  it("sends everything to stable without a canary", async () => {
    const { weights, rule } = await specs({
      canary: undefined,
      weight: 0,
      crossClusterHosts: [],
      ingress: undefined,
    });
    expect(rule).toMatchObject({ subsets: [{ name: "v1" }] });
    expect(weights).toEqual({
      hosts: [OWN],
      gateways: ["mesh"],
      http: [
        {
          name: "user-service-weights",
          route: [{ destination: { host: OWN, subset: "v1" }, weight: 100 }],
          ...policy,
        },
      ],
    });
  });

  it("has no time limit where streams need none", async () => {
    const { weights } = await specs({ timeout: "none" });
    expect(weights.http.length).toBe(4);
    for (const rule of weights.http) expect(rule).not.toHaveProperty("timeout");
  });

  it("mirrors to the canary where it is told to", async () => {
    const { weights } = await specs({ mirrorPercent: 5, crossClusterHosts: [], matches: [] });
    expect(weights.http).toMatchObject([
      { mirror: { host: OWN, subset: "v2" }, mirrorPercentage: { value: 5 } },
    ]);
  });

  it("holds the weights back until the other clusters' rules are there", async () => {
    const program = await record(({ opts, other }) => {
      const far = new k8s.apiextensions.CustomResource(
        "far-rule",
        { apiVersion: "networking.istio.io/v1", kind: "DestinationRule", spec: {} },
        { provider: other },
      );
      new CanaryRoute("route", { ...args, weightsAfter: Promise.resolve([far]) }, opts);
    });
    const weights = program.named("route-weights");
    expect(program.waitsFor(weights, program.named("route-rule"))).toBe(true);
    expect(program.waitsFor(weights, program.named("far-rule"))).toBe(true);
    expect(program.waitsFor(program.named("route-rule"), program.named("far-rule"))).toBe(false);
  });

  it("refuses a weight that is not a percentage and a canary that is stable, in one error", async () => {
    await expect(specs({ weight: 130, canary: "v1" })).rejects.toThrow(
      [
        "Invalid arguments for the route of user/user-service:",
        " - weight: must be a whole number from 0 to 100, got 130. Give the percent of requests that the canary gets.",
        ' - canary: must be another version than stable, got "v1". Leave canary out while there is one version.',
      ].join("\n"),
    );
  });
});
