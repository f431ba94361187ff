import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../../fleet/cluster-client.ts";
import type { EnvoyRoutes, LiveRouting } from "../../../../fleet/routing/cluster-routing.ts";
import { servingIn } from "../../../../fleet/serving.ts";
import { readDeployed } from "../../../../fleet/read-deployed.ts";
import { readRouting } from "../../../../fleet/routing/istio/read-routing.ts";
import { readRecord, type RoutingRecord } from "../../../../fleet/records/routing-records.ts";
import type { DeployedCluster } from "../../../../lib/deployed.ts";
import type { Split } from "../../../../lib/weights.ts";
import type { Remembered } from "../../../../release/journal.ts";
import { phase } from "../../../../release/planner.ts";
import { releaseName } from "../../../../release/release-settings.ts";
import { timed } from "../../../../release/rollout-event.ts";
import { releaseStatus, type StatusSources } from "../../../../release/status/release-status.ts";
import { canaryRouteObjects } from "../../../../components/canary-route.ts";
import type { DeployedRoute } from "../../../../lib/deployed.ts";
import { CHAIN, deployedChain, ENTRY, FOLLOWER } from "../../../helpers/chain.ts";
import { deployedCluster, KEY, split as v } from "../../../helpers/deployed.ts";
import { settings as fixture, type ConfigOptions } from "../../../helpers/fixtures.ts";
import { bucket, FakeMetrics, quantile, requests, unreached } from "../../../helpers/metrics.ts";

vi.mock(import("../../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));
vi.mock(import("../../../../fleet/serving.ts"), () => ({ servingIn: vi.fn<typeof servingIn>() }));
vi.mock(import("../../../../fleet/routing/istio/read-routing.ts"), async (original) => ({
  ...(await original()),
  readRouting: vi.fn<typeof readRouting>(),
}));
vi.mock(import("../../../../fleet/records/routing-records.ts"), async (original) => ({
  ...(await original()),
  readRecord: vi.fn<typeof readRecord>(),
}));

const T0 = Date.UTC(2026, 0, 1);
const NOW = T0 + 330_000;
const live = (weight: number): LiveRouting => ({
  objects: { "VirtualService/user-service": { weight } },
  envoys: [],
  envoyCount: 2,
  strays: [],
});

/** Makes every cluster's Envoys serve these routes of each service. */
function serving(routesOf: (hosts: readonly string[]) => readonly EnvoyRoutes[]): void {
  vi.mocked(servingIn).mockImplementation((_, services, serves) => {
    const all = services.flatMap((hosts, i) => routesOf(hosts).map((routes) => serves(routes, i)));
    const count = { envoys: all.length, serving: all.filter(Boolean).length };
    return Promise.resolve({ ...count, acknowledged });
  });
}

/** What the clusters have; tests change what they are about. */
let has: Record<string, DeployedCluster>;
let memory: Partial<Remembered> | Error;
/** Weights that the Envoys of every cluster serve. */
let envoys: number[];
/** How many others have acknowledged them. */
let acknowledged: number;
let routing: LiveRouting;

const image = (version: string) => `registry.example.com/user-service:${version}`;

function there(name: string, live: Split): DeployedCluster {
  const found = deployedCluster(name, live);
  const route = found.routes.get(KEY);
  if (!route) throw new Error("the fixture is wrong");
  const images = { v1: image("v1"), v2: image("v2") };
  return { ...found, routes: new Map([[KEY, { ...route, images }]]) };
}

const prometheus = () =>
  new FakeMetrics([
    ["ALERTS", [1, 2].map(() => ({ labels: { alertname: "CanaryLatency" }, value: 1 }))],
    ["histogram_quantile(0.5,", [quantile("v1", 3), quantile("v2", Number.NaN)]],
    ["histogram_quantile(0.99,", [quantile("v1", 20), quantile("v2", 400)]],
    ["resets(", []],
    ['reporter="source"', [requests("v1", "200", 100), unreached("NC", 200)]],
    ["istio_requests_total", [requests("v1", "200", 90), requests("v2", "503", 10)]],
    ["_bucket", [bucket("v1", "+Inf", 90)]],
  ]);

beforeEach(() => {
  has = {
    "cluster-a": there("cluster-a", v("v1", "v2", 10)),
    "cluster-b": there("cluster-b", v("v1", "v2", 10)),
  };
  memory = { progress: phase(releaseName(fixture()), 10, T0) };
  envoys = [10, 10];
  acknowledged = 0;
  routing = live(10);
  vi.mocked(readDeployed).mockImplementation(() => Promise.resolve(Object.values(has)));
  serving(() =>
    envoys.map((weight) => ({ tables: { 80: { v2: weight } } }) as unknown as EnvoyRoutes),
  );
  vi.mocked(readRouting).mockImplementation(() => Promise.resolve(routing));
  vi.mocked(readRecord).mockResolvedValue({
    ...live(10),
    by: "ann@laptop",
    at: "",
    digest: "",
  } as unknown as RoutingRecord);
});

function status(options: ConfigOptions = {}, more: Partial<StatusSources> = {}) {
  const settings = fixture(options);
  const verdicts = vi.fn<StatusSources["observer"]["verdicts"]>().mockResolvedValue([]);
  const found = releaseStatus(
    {
      stack: {
        name: "prod",
        lastKnown: () =>
          Promise.resolve({ "cluster-b": { traffic: { [KEY]: { v1: 70, v2: 30 } } } }),
      },
      settings,
      clusters: settings.clusters as unknown as readonly ClusterClient[],
      metrics: new Map(settings.clusters.map(({ name }) => [name, prometheus()])),
      journal: {
        read: () =>
          memory instanceof Error
            ? Promise.reject(memory)
            : Promise.resolve({
                progress: undefined,
                pause: undefined,
                watch: undefined,
                guards: [],
                forgiven: [],
                events: [],
                silent: new Map<string, string>(),
                ...memory,
              }),
      },
      observer: { verdicts },
      ...more,
    },
    NOW,
  );
  return { found, verdicts };
}

const drift = async (options?: ConfigOptions) =>
  (await status(options).found).clusters.map((cluster) => cluster.drift);

describe("a status", () => {
  it("has weights, Envoys, alerts and traffic of each cluster since the phase's weight has settled", async () => {
    const { found, verdicts } = status();
    const { clusters, period, progress, config } = await found;
    expect({ period, config }).toEqual({
      config: 10,
      period: { since: "2026-01-01T00:00:30.000Z", until: NOW, seconds: 300 },
    });
    expect(progress).toMatchObject({ weight: 10, since: T0 });
    expect(verdicts).toHaveBeenCalledWith(10, T0, NOW);
    expect(clusters).toHaveLength(2);
    expect(clusters[1]).toEqual({
      cluster: "cluster-b",
      config: 10,
      quarantined: false,
      weights: { [KEY]: 10 },
      envoys: 2,
      serving: 2,
      drift: [],
      alerts: ["CanaryLatency"],
      versions: [
        { service: KEY, version: "v1", requests: 90, share: 90, errors: 0, p50: 3, p99: 20 },
        { service: KEY, version: "v2", requests: 10, share: 10, errors: 100, p99: 400 },
      ],
      // A DestinationRule is gone, and no pod knows of it.
      calls: [{ service: KEY, requests: 300, unreached: 200, flags: { NC: 200 } }],
    });
  });

  it("counts the last minutes, and asks no gate, where no phase runs", async () => {
    const ended = phase(releaseName(fixture()), 0, T0);
    for (const progress of [
      undefined,
      { ...ended, release: "user/user-service v3" },
      { ...ended, end: { result: "rolled-back" as const, reason: "bad" } },
      { ...ended, weight: 10, rollingBack: "bad" },
    ]) {
      memory = { progress };
      const { found, verdicts } = status();
      expect((await found).period).toMatchObject({ seconds: 300, until: NOW });
      expect(verdicts).not.toHaveBeenCalled();
    }
  });

  it("tells who watches a rollout that has not ended, and since when nobody does", async () => {
    const { interval } = fixture().rollout;
    const looked = (before: number) => ({ at: NOW - before, by: "ann on laptop (pid 7)" });
    const progress = phase(releaseName(fixture()), 10, T0);
    expect(interval).toBe("30s");
    memory = { progress, watch: looked(119_000) };
    expect((await status().found).watch).toEqual({
      by: "ann on laptop (pid 7)",
      at: new Date(NOW - 119_000).toISOString(),
      seconds: 119,
      stale: false,
    });
    memory = { progress: { ...progress, rollingBack: "bad" }, watch: looked(121_000) };
    expect((await status().found).watch).toMatchObject({ seconds: 121, stale: true });
    memory = { progress: { ...progress, end: { result: "done", reason: "" } }, watch: looked(1) };
    expect((await status().found).watch).toBeUndefined();
  });

  it("counts Envoys that do not follow", async () => {
    envoys = [10, 0, 10];
    const [first] = (await status().found).clusters;
    expect(first).toMatchObject({ envoys: 3, serving: 2 });
  });

  it("tells how many have acknowledged the weights that were not asked", async () => {
    acknowledged = 1900;
    const [first] = (await status().found).clusters;
    expect(first).toMatchObject({ envoys: 2, serving: 2, acknowledged: 1900 });
  });

  it("goes on when a cluster, an Envoy, a Prometheus or the journal cannot be reached", async () => {
    const away = { name: "cluster-a", unreachable: "no answer in time", routes: new Map() };
    has = { ...has, "cluster-a": away };
    memory = new Error("No cluster can be read:\n - cluster-a: no answer in time");
    vi.mocked(servingIn).mockRejectedValue(new Error("connection refused"));
    const silent = { query: () => Promise.reject(new Error("no Prometheus runs")) };
    const found = await status({}, { metrics: new Map([["cluster-b", silent]]) }).found;
    expect(found.forgotten).toBe("No cluster can be read");
    expect(found.clusters).toMatchObject([
      { cluster: "cluster-a", unreachable: "no answer in time", weights: {} },
      { unreachable: "connection refused", weights: { [KEY]: 10 }, silent: "no Prometheus runs" },
    ]);
    expect(found.clusters.map(({ alerts }) => alerts)).toEqual([undefined, undefined]);
  });

  it("wants 0 % in quarantine", async () => {
    has = { ...has, "cluster-b": there("cluster-b", v("v1", "v2", 0)) };
    const { clusters } = await status({ quarantine: ["cluster-b"] }).found;
    expect(clusters).toMatchObject([
      { config: 10, quarantined: false, drift: [] },
      { config: 0, quarantined: true, drift: [], weights: { [KEY]: 0 } },
    ]);
  });

  it("tells of a cluster that is away what is known of it, and asks the others alone", async () => {
    has = { "cluster-a": there("cluster-a", v("v1", "v2", 10)) };
    const { clusters } = await status({ away: ["cluster-b"] }).found;
    expect(clusters).toMatchObject([{ cluster: "cluster-a" }, { cluster: "cluster-b" }]);
    expect(clusters[1]).toEqual({
      cluster: "cluster-b",
      config: 10,
      quarantined: false,
      away: true,
      weights: { [KEY]: 30 },
      ...{ envoys: 0, serving: 0, drift: [] },
    });
    const drain = [{ name: "cluster-b", drain: true }];
    expect((await status({ away: drain }).found).clusters).toMatchObject([
      {},
      { cluster: "cluster-b", away: true, drained: true },
    ]);
    const unknown = { name: "prod", lastKnown: () => Promise.reject(new Error("no backend")) };
    const blind = await status({ away: ["cluster-b"] }, { stack: unknown }).found;
    expect(blind.clusters[1]).toMatchObject({ away: true, weights: {} });
    // The weight that it keeps is no sign that somebody has changed the others'.
    memory = ended("done");
    has = { "cluster-a": there("cluster-a", v("v1", "v2", 100)) };
    expect((await status({ away: ["cluster-b"] }).found).changed).toBeUndefined();
  });

  it("misses no guard of a cluster that is away, and tells of one that goes on there", async () => {
    const note = (cluster: string, before: number) => ({
      ...{ format: 1, cluster, release: releaseName(fixture()), weight: 10, since: T0 },
      ...{ failures: { consecutive: 0, total: 0 }, contactAt: T0, startedAt: T0 },
      ...{ at: NOW - before, does: "watch" as const, says: "no gate has failed" },
    });
    const guards = async (before: number, options?: ConfigOptions) => {
      memory = { guards: [note("cluster-a", 1_000), note("cluster-b", before)] };
      const found = (await status(options).found).guards ?? [];
      return found.map(({ cluster, stale }) => [cluster, stale]);
    };
    expect(await guards(91_000)).toEqual([
      ["cluster-a", false],
      ["cluster-b", true],
    ]);
    has = { "cluster-a": there("cluster-a", v("v1", "v2", 10)) };
    expect(await guards(91_000, { away: ["cluster-b"] })).toEqual([["cluster-a", false]]);
    expect(await guards(1_000, { away: ["cluster-b"] })).toEqual([
      ["cluster-a", false],
      ["cluster-b", false],
    ]);
  });

  const ended = (result: "done" | "rolled-back") => ({
    progress: {
      ...phase(releaseName(fixture()), result === "done" ? 100 : 0, T0),
      end: { result, reason: "a reason" },
    },
    events: [timed({ event: "end", result, reason: "a reason" }, T0)],
  });

  it("tells that the weight was changed since the rollout has ended", async () => {
    memory = ended("done");
    const changed = async (options: ConfigOptions = {}) => (await status(options).found).changed;
    const all = (weight: number) => {
      has = Object.fromEntries(
        ["cluster-a", "cluster-b"].map((name) => [name, there(name, v("v1", "v2", weight))]),
      );
    };
    all(30);
    expect(await changed()).toEqual({ from: 100, ended: "2026-01-01T00:00:00.000Z", to: [30] });
    has = { ...has, "cluster-b": there("cluster-b", v("v1", "v2", 100)) };
    expect(await changed()).toMatchObject({ to: [30, 100] });
    all(100);
    expect(await changed()).toBeUndefined();
    has = { ...has, "cluster-b": there("cluster-b", v("v1", "v2", 0)) };
    expect(await changed({ quarantine: ["cluster-b"] })).toBeUndefined();
    memory = ended("rolled-back");
    all(0);
    expect(await changed()).toBeUndefined();
    all(10);
    expect(await changed()).toMatchObject({ from: 0, to: [10] });
  });

  it("says who has paused", async () => {
    memory = { pause: { at: T0, paused: true, by: "ann@laptop", reason: "lunch" } };
    expect((await status().found).paused).toBe(
      "paused by ann@laptop at 2026-01-01T00:00:00.000Z: lunch",
    );
  });
});

describe("a status of a chain", () => {
  const mark = { header: "x-istio-canary", testers: [] };
  const chain = { role: "follower", mark, members: [] } as const;
  const names = ["cluster-a", "cluster-b"];
  const host = "order-service.user.svc.cluster.local";
  /** The rules of a follower, as the API server has them. */
  const { rules } = canaryRouteObjects({
    ...{ service: "order-service", namespace: "user", stable: "v1", canary: "v2", weight: 10 },
    chain,
  });
  const chained = (name: string, weight: number) => {
    const cluster = deployedChain(name, v("v1", "v2", weight));
    const follower = { ...cluster.routes.get(FOLLOWER), rules } as DeployedRoute;
    return { ...cluster, routes: new Map([...cluster.routes, [FOLLOWER, follower]]) };
  };
  /** A route of an Envoy to one version, with the manifest's policy. */
  const route = (name: string, version: string, headers: readonly object[] = []) => ({
    name,
    match: { headers },
    route: {
      cluster: `outbound|80|${version}|${host}`,
      timeout: "10s",
      retry_policy: { num_retries: 2 },
    },
  });
  const marked = route("order-service-marked", "v2", [
    { name: "x-istio-canary", string_match: { exact: "canary" } },
  ]);
  const others = route("order-service-weights", "v1");
  /** What the Envoys hold of the follower. */
  let held: (typeof marked)[][];

  beforeEach(() => {
    has = Object.fromEntries(names.map((name) => [name, chained(name, 10)]));
    held = [
      [marked, others],
      [marked, others],
    ];
    serving(([asked]) =>
      held.map(
        (routes) =>
          ({
            pod: "user/client",
            tables: { 80: { v2: asked === host ? 0 : 10 } },
            // The entry has no rules here.
            virtualHosts: asked === host ? [{ name: host, domains: [host], routes }] : [],
          }) as unknown as EnvoyRoutes,
      ),
    );
  });

  it("has the entry's share of every service, and no difference in a follower's weight of 0", async () => {
    const found = await status(CHAIN).found;
    expect(found.clusters[0]?.weights).toEqual({ [ENTRY]: 10, [FOLLOWER]: 10 });
    const part = (cluster: string) => [
      { service: ENTRY, role: "entry", cluster, stable: "v1", canary: "v2", share: 10 },
      { service: FOLLOWER, role: "follower", cluster, stable: "v1", canary: "v2", share: 10 },
    ];
    expect(found.chain).toEqual({
      mark: "x-istio-canary and baggage istio-canary",
      services: names.flatMap(part),
    });
    expect(found.clusters[0]?.unreachable).toBeUndefined();
    expect(found.clusters[0]?.drift.join()).not.toMatch(/the API server has|in no chain/);
  });

  it("has as drift another part in the chain than the configuration's", async () => {
    const chained = deployedChain("cluster-a", v("v1", "v2", 10));
    const entry = { ...chained.routes.get(ENTRY), role: undefined } as DeployedRoute;
    has = { "cluster-a": { ...chained, routes: new Map([...chained.routes, [ENTRY, entry]]) } };
    expect((await drift(CHAIN)).flat()).toContain(
      `${ENTRY}: it is in no chain, the config wants it as the entry of a chain`,
    );
  });

  it("has no chain where there is none", async () => {
    has = { "cluster-a": there("cluster-a", v("v1", "v2", 10)) };
    expect((await status().found).chain).toBeUndefined();
  });

  it("counts an Envoy that does not follow the mark, though its weights are right", async () => {
    const serving = async () => {
      const found = await status(CHAIN).found;
      return found.clusters.map((cluster) => `${cluster.serving} of ${cluster.envoys}`);
    };
    expect(await serving()).toEqual(["4 of 4", "4 of 4"]);
    held = [[marked, others], [others]];
    expect(await serving()).toEqual(["3 of 4", "3 of 4"]);
  });
});

describe("drift", () => {
  it("is another weight than the configuration's", async () => {
    has = { ...has, "cluster-b": there("cluster-b", v("v1", "v2", 30)) };
    expect(await drift()).toEqual([
      [],
      [`${KEY}: the API server has v1 70 %, v2 30 %, the config wants v1 90 %, v2 10 %`],
    ]);
  });

  it("is a canary that gets requests in quarantine", async () => {
    expect(await drift({ quarantine: ["cluster-b"] })).toEqual([
      [],
      [`${KEY}: the API server has v1 90 %, v2 10 %, the config wants v1 100 %, v2 0 %`],
    ]);
  });

  it("is a service that is not there, and a version with another image or none", async () => {
    has = {
      "cluster-a": { ...deployedCluster("cluster-a", undefined) },
      "cluster-b": deployedCluster("cluster-b", v("v1", "v2", 10)),
    };
    expect(await drift()).toEqual([
      [`${KEY}: not there, it needs pulumi up`],
      [
        `${KEY}: v1 runs image:v1, the config wants ${image("v1")}`,
        `${KEY}: v2 runs image:v2, the config wants ${image("v2")}`,
      ],
    ]);
  });

  it("is whatever somebody has changed since, in objects or Envoys, and what routes the service besides", async () => {
    routing = {
      ...live(10),
      objects: { "VirtualService/user-service": { weight: 10, timeout: "1s" } },
    };
    routing = { ...routing, strays: ["VirtualService user/mine"] };
    const [first] = await drift();
    expect(first).toEqual([
      `${KEY}: VirtualService/user-service: timeout: was nothing, is "1s"`,
      `${KEY}: VirtualService user/mine also routes a host of this service but does not belong to the release: remove it`,
    ]);
  });

  it("cannot be told without a record of this configuration", async () => {
    vi.mocked(readRecord).mockResolvedValue(undefined);
    const [first] = await drift();
    expect(first).toEqual([
      `${KEY}: routes are not compared, there is no record of this config (it was not recorded)`,
    ]);
  });
});
