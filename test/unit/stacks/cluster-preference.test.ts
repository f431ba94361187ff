import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const ISTIO = "kubernetes:networking.istio.io/v1";

type Changes = Readonly<Record<string, unknown>>;

function config(
  of: Changes,
  { mesh = {}, canary = {} }: { mesh?: Changes; canary?: Changes } = {},
) {
  const raw = rawConfig();
  return parseConfig({
    ...raw,
    mesh: { ...raw.mesh, ...mesh },
    services: raw.services.map((known) => ({
      ...known,
      ...of,
      canary: { ...known.canary, ...canary },
    })),
  });
}

function settingsOf(...args: Parameters<typeof config>): Settings {
  const { settings, problems } = config(...args);
  if (!settings || "meshStack" in settings) throw new Error(problems.map(problemLine).join("\n"));
  return settings;
}

async function program(...args: Parameters<typeof config>): Promise<Recording> {
  const recording = await recordProgram();
  const settings = settingsOf(...args);
  releaseServices(settings, installMesh(settings).clusters, planRelease(settings, []));
  await recording.settle();
  return recording;
}

interface Policy extends Changes {
  readonly portLevelSettings?: readonly Changes[];
}

const rules = (recording: Recording) =>
  recording.ofType(`${ISTIO}:DestinationRule`).map(({ name, inputs }) => ({
    name,
    ...(inputs["spec"] as { trafficPolicy: Policy; subsets: { trafficPolicy?: Policy }[] }),
  }));
const retries = (recording: Recording) =>
  recording
    .ofType(`${ISTIO}:VirtualService`)
    .flatMap(({ inputs }) => (inputs["spec"] as { http: { retries: unknown }[] }).http)
    .map((rule) => rule.retries);
const said = (...args: Parameters<typeof config>) => config(...args).problems.map(problemLine);

/** Nothing that an application answers ejects its pods, and everything that cannot be reached is ejected. */
const EJECTION = {
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailures: 5,
  consecutive5xxErrors: 0,
  consecutiveGatewayErrors: 0,
  interval: "1s",
  baseEjectionTime: "10s",
  maxEjectionPercent: 100,
};
const TCP = { connectTimeout: "1s", tcpKeepalive: { time: "1s", interval: "1s", probes: 2 } };
/** Of connections to a version: less than gateways wait for theirs before they end. */
const LIFETIME = { maxConnectionDuration: "30s" };
const OWN_CLUSTER = { localityLbSetting: { failoverPriority: ["topology.istio.io/cluster"] } };

describe("clusterPreference", () => {
  it("own-first sends requests to the own cluster, and leaves out what cannot be reached", async () => {
    const recording = await program({ clusterPreference: "own-first" });
    const made = rules(recording);
    expect(made.length).toBe(4);
    for (const { name, trafficPolicy } of made) {
      const { tls, ...policy } = trafficPolicy;
      expect(policy, name).toEqual({
        loadBalancer: OWN_CLUSTER,
        connectionPool: { tcp: TCP },
        outlierDetection: EJECTION,
      });
      expect(tls, name).toMatchObject({ mode: "ISTIO_MUTUAL" });
    }
    const all = retries(recording);
    expect(all.length).toBeGreaterThan(0);
    for (const each of all) {
      expect(each).toEqual({
        attempts: 2,
        retryOn: "connect-failure,refused-stream,reset-before-request,unavailable,cancelled",
        retryRemoteLocalities: true,
      });
    }
  });

  it("spread prefers no cluster, not even where nodes tell their zones", async () => {
    const recording = await program({ clusterPreference: "spread" });
    for (const { name, trafficPolicy } of rules(recording)) {
      expect(trafficPolicy, name).toMatchObject({
        loadBalancer: { localityLbSetting: { enabled: false } },
        connectionPool: { tcp: TCP },
        outlierDetection: EJECTION,
      });
    }
    for (const each of retries(recording)) expect(each).not.toHaveProperty("retryRemoteLocalities");
  });

  it("leaves a service without it as it was", async () => {
    const recording = await program({});
    for (const { name, trafficPolicy, subsets } of rules(recording)) {
      expect(Object.keys(trafficPolicy), name).toEqual(["tls"]);
      for (const subset of subsets)
        expect(Object.keys(subset.trafficPolicy ?? {})).not.toContain("outlierDetection");
    }
    for (const each of retries(recording)) {
      expect(each).toEqual({
        attempts: 2,
        retryOn: "connect-failure,refused-stream,unavailable,cancelled",
      });
    }
  });

  it("pings connections that carry all requests, and makes no gRPC call again that was written", async () => {
    const recording = await program({ clusterPreference: "own-first", protocol: "grpc" });
    for (const { name, trafficPolicy } of rules(recording)) {
      expect(trafficPolicy["connectionPool"], name).toEqual({
        tcp: TCP,
        http: { http2KeepAlive: { interval: "2s", timeout: "1s" } },
      });
    }
    for (const each of retries(recording)) {
      expect(each).toMatchObject({
        retryOn: "connect-failure,refused-stream,reset-before-request",
      });
    }
  });

  it("holds for each further port, which inherits nothing", async () => {
    const morePorts = [{ port: 9090, protocol: "http" }];
    const far = rules(await program({ clusterPreference: "own-first", morePorts })).filter(
      ({ name }) => name.includes("-from-"),
    );
    expect(far.length).toBe(2);
    for (const { name, trafficPolicy, subsets } of far) {
      for (const policy of [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)]) {
        expect(policy?.portLevelSettings, name).toMatchObject([
          { port: { number: 9090 }, connectionPool: { tcp: TCP }, outlierDetection: EJECTION },
        ]);
      }
    }
  });

  it("replaces connections to each version, and has no gateway cut what it passes through", async () => {
    const morePorts = [{ port: 9090, protocol: "http" }];
    for (const { name, trafficPolicy, subsets } of rules(
      await program({ clusterPreference: "spread", morePorts }),
    )) {
      // What stands there ends connections of TCP, and all of gateways.
      expect(JSON.stringify(trafficPolicy), name).not.toContain("maxConnectionDuration");
      expect(subsets.length, name).toBe(2);
      for (const { trafficPolicy: own } of subsets) {
        expect(own?.["connectionPool"], name).toEqual({ tcp: { ...TCP, ...LIFETIME } });
        for (const ofPort of own?.portLevelSettings ?? []) {
          expect(ofPort["connectionPool"], name).toEqual({ tcp: { ...TCP, ...LIFETIME } });
        }
      }
    }
  });

  it("keeps what trafficPolicy says of connections to all versions, or to one", async () => {
    const pool = (tcp: object) => ({ trafficPolicy: { connectionPool: { tcp } } });
    const all = rules(
      await program(
        { clusterPreference: "spread", ...pool({ connectTimeout: "3s" }) },
        { canary: pool({ maxConnectionDuration: "5m" }) },
      ),
    );
    for (const { name, subsets } of all) {
      expect(
        subsets.map(({ trafficPolicy }) => trafficPolicy?.["connectionPool"]),
        name,
      ).toEqual([
        { tcp: { ...TCP, ...LIFETIME, connectTimeout: "3s" } },
        { tcp: { ...TCP, maxConnectionDuration: "5m" } },
      ]);
    }
  });

  it("gives way, key by key, to what trafficPolicy says of the service and of a version", async () => {
    const recording = await program(
      {
        clusterPreference: "own-first",
        trafficPolicy: {
          loadBalancer: { simple: "ROUND_ROBIN" },
          connectionPool: { tcp: { connectTimeout: "3s" } },
        },
      },
      { canary: { trafficPolicy: { outlierDetection: { baseEjectionTime: "30s" } } } },
    );
    for (const { name, trafficPolicy, subsets } of rules(recording)) {
      expect(trafficPolicy, name).toMatchObject({
        loadBalancer: { simple: "ROUND_ROBIN", ...OWN_CLUSTER },
        connectionPool: { tcp: { ...TCP, connectTimeout: "3s" } },
      });
      expect(subsets[1]?.trafficPolicy?.["outlierDetection"], name).toEqual({
        ...EJECTION,
        baseEjectionTime: "30s",
      });
      expect(Object.keys(subsets[1]?.trafficPolicy ?? {}), name).not.toContain("loadBalancer");
    }
  });

  it("changes the VirtualServices and the digest, so that what it leads to is recorded", async () => {
    const recording = await program({ clusterPreference: "spread" });
    for (const { inputs } of recording.ofType(`${ISTIO}:VirtualService`)) {
      expect((inputs["metadata"] as { annotations: Changes }).annotations).toMatchObject({
        "istio-canary/destinations": '{"preference":"spread"}',
      });
    }
    const digests = [{}, { clusterPreference: "spread" }, { clusterPreference: "own-first" }].map(
      (of) => {
        const settings = settingsOf(of);
        const [service] = settings.services;
        if (!service) throw new Error("the fixture has a service");
        return routingDigest(settings, service, "cluster-a");
      },
    );
    expect(new Set(digests).size).toBe(3);
  });

  it("is refused beside another preference of localities", () => {
    const trafficPolicy = {
      loadBalancer: { localityLbSetting: { distribute: [{ from: "a", to: { a: 100 } }] } },
    };
    const rule = (of: string, preference: string) =>
      ` - services[0].${of}trafficPolicy.loadBalancer.localityLbSetting: must be left out with clusterPreference: ${preference}, which decides the same`;
    expect(said({ clusterPreference: "spread", trafficPolicy }).join("\n")).toContain(
      rule("", "spread"),
    );
    expect(
      said({ clusterPreference: "own-first" }, { canary: { trafficPolicy } }).join("\n"),
    ).toContain(rule("canary.", "own-first"));
    expect(said({ trafficPolicy })).toEqual([]);
  });

  it.each([
    ["1.30.4", "grpc", true],
    ["1.31.0", "grpc", false],
    ["2.0.0", "grpc", false],
    ["1.30.4", "http", false],
  ])("with Istio %s and %s: refused is %s", (istioVersion, protocol, isRefused) => {
    const text = said({ clusterPreference: "own-first", protocol }, { mesh: { istioVersion } });
    expect(text).toEqual(
      isRefused
        ? [
            expect.stringContaining(
              " - services[0].clusterPreference: must be left out of a service with http2 or grpc ports before Istio 1.31, but the clusters have 1.30.4",
            ),
          ]
        : [],
    );
  });

  it.each([
    ["all control planes can ping", [{ name: "1-31-0", version: "1.31.0" }], []],
    ["one cannot", [{ name: "default" }, { name: "1-31-0", version: "1.31.0" }], ["1.30.4"]],
  ])("in an upgrade, goes by the control planes that are there: %s", (_when, revisions, old) => {
    const tags = [{ name: "default", revision: "1-31-0" }];
    const text = said(
      { clusterPreference: "own-first", protocol: "grpc" },
      { mesh: { istioVersion: "1.30.4", revisions, tags } },
    );
    const found = text.map((line) => /the clusters have ([\d.]+): older versions/.exec(line)?.[1]);
    expect(found).toEqual(old);
  });
});
