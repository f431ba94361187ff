import { DestinationRule } from "@kubernetes-models/istio/networking.istio.io/v1/DestinationRule";
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

function config(of: Changes, ofCanary: Changes = {}) {
  const raw = rawConfig();
  return parseConfig({
    ...raw,
    services: raw.services.map((known) => ({
      ...known,
      ...of,
      canary: { ...known.canary, ...ofCanary },
    })),
  });
}

function settingsOf(of: Changes, ofCanary: Changes = {}): Settings {
  const { settings, problems } = config(of, ofCanary);
  if (!settings || "meshStack" in settings) throw new Error(problems.map(problemLine).join("\n"));
  return settings;
}

async function program(of: Changes, ofCanary: Changes = {}): Promise<Recording> {
  const recording = await recordProgram();
  const settings = settingsOf(of, ofCanary);
  releaseServices(settings, installMesh(settings).clusters, planRelease(settings, []));
  await recording.settle();
  return recording;
}

const refused = (trafficPolicy: unknown, more: Changes = {}) =>
  config({ trafficPolicy, ...more }).problems.map(problemLine);

/** All that a policy may say. */
const whole = {
  loadBalancer: {
    consistentHash: {
      httpCookie: { name: "session", path: "/", ttl: "1h" },
      maglev: { tableSize: 65537 },
    },
    localityLbSetting: {
      enabled: true,
      failover: [{ from: "region-1", to: "region-2" }],
      failoverPriority: ["topology.kubernetes.io/region"],
    },
  },
  connectionPool: {
    tcp: {
      maxConnections: 100,
      connectTimeout: "3s",
      idleTimeout: "1h",
      maxConnectionDuration: "24h",
      tcpKeepalive: { probes: 9, time: "2h", interval: "75s" },
    },
    http: {
      http1MaxPendingRequests: 10,
      http2MaxRequests: 100,
      maxRequestsPerConnection: 0,
      maxRetries: 3,
      maxConcurrentStreams: 50,
      idleTimeout: "30s",
      h2UpgradePolicy: "UPGRADE",
      useClientProtocol: false,
    },
  },
  outlierDetection: {
    consecutive5xxErrors: 5,
    consecutiveGatewayErrors: 5,
    consecutiveLocalOriginFailures: 5,
    splitExternalLocalOriginErrors: true,
    interval: "10s",
    baseEjectionTime: "30s",
    maxEjectionPercent: 50,
    minHealthPercent: 10,
  },
};
const ofCanary = {
  loadBalancer: {
    simple: "ROUND_ROBIN",
    warmup: { duration: "60s", minimumPercent: 10, aggression: 1 },
  },
};

/** Every value at the end of `of` in turn replaced by one that no key of Istio's takes. */
function spoilt(of: object): { readonly path: string; readonly policy: object }[] {
  return Object.entries(of).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "object" && value !== null
      ? spoilt(value).map(({ path, policy }) => ({
          path: `${key}.${path}`,
          policy: Array.isArray(value)
            ? { ...of, [key]: Object.values(policy) }
            : { ...of, [key]: policy },
        }))
      : [{ path: key, policy: { ...of, [key]: { spoilt: [] } } }],
  );
}

const isIstios = (trafficPolicy: object) => {
  const rule = new DestinationRule({
    metadata: { name: "user-service", namespace: "user" },
    spec: { host: "user-service", trafficPolicy },
  });
  try {
    rule.validate();
    return true;
  } catch {
    return false;
  }
};

const rules = (recording: Recording) =>
  recording.ofType(`${ISTIO}:DestinationRule`).map(({ name, inputs }) => ({
    name,
    spec: inputs["spec"] as {
      trafficPolicy: Changes;
      subsets: { name: string; trafficPolicy?: Changes }[];
    },
  }));

describe("a service's trafficPolicy", () => {
  it("is in the rules of all clusters and hosts, beside what the program owns", async () => {
    const made = rules(await program({ trafficPolicy: whole }, { trafficPolicy: ofCanary }));
    expect(made.length).toBe(4);
    for (const { name, spec } of made) {
      const { tls, ...policy } = spec.trafficPolicy;
      expect(policy, name).toEqual(whole);
      expect(tls, name).toMatchObject({ mode: "ISTIO_MUTUAL" });
      const [stable, canary] = spec.subsets;
      expect(canary?.trafficPolicy, name).toMatchObject(ofCanary);
      expect(stable?.trafficPolicy ?? {}, name).not.toHaveProperty("loadBalancer");
    }
    const far = made.filter(({ name }) => name.includes("-from-"));
    expect(far.length).toBe(2);
    for (const { name, spec } of far) {
      const [, cluster = ""] = /user-(cluster-.)-from/.exec(name) ?? [];
      expect(
        spec.subsets.map(({ trafficPolicy }) => trafficPolicy?.["tls"]),
        cluster,
      ).toMatchObject(
        ["v1", "v2"].map((version) => ({
          sni: `outbound_.80_.${version}_.user-service.user.svc.cluster.local`,
        })),
      );
    }
  });

  it.each([
    ["limits and outliers", whole],
    ["a warm-up", ofCanary],
    ["a hash of a header", { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } }],
    ["a hash of a query", { loadBalancer: { consistentHash: { httpQueryParameterName: "user" } } }],
    [
      "a hash of addresses",
      { loadBalancer: { consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 9 } } } },
    ],
    [
      "shares of localities",
      {
        loadBalancer: {
          localityLbSetting: { distribute: [{ from: "a/*", to: { "a/*": 80, "b/*": 20 } }] },
        },
      },
    ],
  ])("has Istio's keys alone: %s", (_, policy) => {
    expect(refused(policy)).toEqual([]);
    expect(isIstios(policy)).toBe(true);
    for (const { path, policy: wrong } of spoilt(policy)) {
      expect(isIstios(wrong), `${path} is no key of Istio's`).toBe(false);
    }
  });

  it("changes the VirtualServices too, so that what it leads to is recorded", async () => {
    const annotations = async (of: Changes) =>
      (await program(of))
        .ofType(`${ISTIO}:VirtualService`)
        .map(({ inputs }) => (inputs["metadata"] as { annotations: Changes }).annotations);
    const key = "istio-canary/destinations";
    for (const each of await annotations({ trafficPolicy: ofCanary })) {
      expect(each[key]).toBe(JSON.stringify({ all: ofCanary }));
    }
    for (const each of await annotations({})) expect(each).not.toHaveProperty(key);
  });

  it("is another routing, whichever version it is of", () => {
    const digest = (settings: Settings) => {
      const [service] = settings.services;
      if (!service) throw new Error("the fixture has a service");
      return routingDigest(settings, service, "cluster-a");
    };
    const stable = { version: "v1", image: "registry.example.com/user-service:v1" };
    const digests = [
      settingsOf({}),
      settingsOf({ trafficPolicy: ofCanary }),
      settingsOf({}, { trafficPolicy: ofCanary }),
      settingsOf({ stable: { ...stable, trafficPolicy: ofCanary } }),
    ].map(digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it.each([
    [
      "tls",
      { tls: { mode: "DISABLE" } },
      "trafficPolicy.tls: must be left out: the program owns it: mutual TLS",
    ],
    [
      "settings of ports",
      { portLevelSettings: [] },
      "trafficPolicy.portLevelSettings: must be left out: it would replace the TLS settings",
    ],
    ["a tunnel", { tunnel: {} }, "trafficPolicy.tunnel: must be left out"],
    [
      "a key that Istio does not have",
      { outlierDetection: { consecutive5xxError: 5 } },
      "trafficPolicy.outlierDetection.consecutive5xxError: is not a configuration key. Did you mean consecutive5xxErrors?",
    ],
    [
      "PASSTHROUGH, which goes past the versions",
      { loadBalancer: { simple: "PASSTHROUGH" } },
      "trafficPolicy.loadBalancer.simple: ",
    ],
    [
      "a duration without unit",
      { outlierDetection: { interval: "10" } },
      "trafficPolicy.outlierDetection.interval: must be a duration",
    ],
    [
      "two ways to balance",
      { loadBalancer: { simple: "RANDOM", consistentHash: { useSourceIp: true } } },
      "trafficPolicy.loadBalancer: must have either simple or consistentHash",
    ],
    [
      "two things to hash",
      { loadBalancer: { consistentHash: { useSourceIp: true, httpHeaderName: "x" } } },
      "trafficPolicy.loadBalancer.consistentHash: must name one thing that is hashed",
    ],
    [
      "a warm-up that nothing heeds",
      { loadBalancer: { simple: "RANDOM", warmup: { duration: "1m" } } },
      "trafficPolicy.loadBalancer: must have warmup with LEAST_REQUEST or ROUND_ROBIN alone",
    ],
    [
      "a failover that never happens",
      { loadBalancer: { localityLbSetting: { failover: [{ from: "a", to: "b" }] } } },
      "trafficPolicy: must have outlierDetection beside failover",
    ],
    [
      "shares that are not 100",
      { loadBalancer: { localityLbSetting: { distribute: [{ from: "a", to: { a: 50 } }] } } },
      "trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: must be 100 together",
    ],
  ])("is refused with %s", (_, policy, text) => {
    expect(refused(policy).join("\n")).toContain(` - services[0].${text}`);
  });
});
