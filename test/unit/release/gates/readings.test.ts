import { describe, expect, it } from "vitest";
import type { Metrics } from "../../../../release/gates/counters.ts";
import { readings } from "../../../../release/gates/readings.ts";
import {
  builtInGatesBut,
  fullMetrics,
  gateSettings,
  judged,
  phase,
  T0,
} from "../../../helpers/gate-readings.ts";
import { bucket, FakeMetrics, hasSamples, requests } from "../../../helpers/metrics.ts";

/** A Prometheus that has samples of the last seconds only. */
const hasSome = (seconds: number) =>
  [["time() - min(min_over_time(timestamp(up", [{ labels: {}, value: seconds }]]] as const;

describe("readings", () => {
  it("counts failed and slow requests of both versions, the canary's share, and what own queries count", async () => {
    const found = await readings("cluster-b", fullMetrics(), judged, gateSettings, phase);
    expect(found.map(({ gate, counts }) => [gate, counts])).toEqual([
      ["successRate", { canary: { hits: 28, trials: 100 }, stable: { hits: 5, trials: 900 } }],
      ["latency", { canary: { hits: 4, trials: 100 }, stable: { hits: 10, trials: 900 } }],
      ["unreached", { canary: { hits: 0, trials: 1000 }, stable: { hits: 0, trials: 1000 } }],
      ["share", { canary: { hits: 100, trials: 1000 }, stable: { hits: 0, trials: 0 } }],
      ["checkout", { canary: { hits: 2, trials: 50 }, stable: { hits: 2, trials: 50 } }],
    ]);
  });

  it("asks for the cluster's own requests since the weight has settled", async () => {
    const fake = fullMetrics();
    await readings("cluster-b", fake, judged, gateSettings, phase);
    const asked = fake.asked.find(({ promql }) =>
      promql.startsWith("sum by (destination_version, response"),
    );
    const one = (expression: string) =>
      `max without (job, instance, namespace, pod, pod_name, container, endpoint, node, cluster, prometheus, prometheus_replica, replica) (label_replace(label_replace(${expression}, "proxy", "$1", "pod", "(.+)"), "proxy", "$1", "instance", "(.+?)(:[0-9]+)?"))`;
    const series =
      'istio_requests_total{reporter="destination",destination_cluster="cluster-b",destination_service="user-service.user.svc.cluster.local"}';
    expect(asked?.promql).toBe(
      `sum by (destination_version, response_code, grpc_response_status, source_cluster) ((${one(`((last_over_time(${series}[300s]) - last_over_time(${series}[5m] offset 300s)) >= 0)`)} or ${one(`last_over_time(${series}[300s])`)}))`,
    );
    expect(asked?.at).toEqual(new Date(phase.now));
    expect(fake.asked.map(({ promql }) => promql)).toContain(
      "sum(increase(all_of_v2_in_cluster-b[300s]))",
    );
  });

  it("compares with what stable got before the phase where it gets nothing in it", async () => {
    const fake = fullMetrics();
    await readings("cluster-b", fake, judged, gateSettings, { ...phase, weight: 100 });
    const earlier = fake.asked.filter(
      ({ promql, at }) =>
        at?.getTime() === T0 && !/^(?:count without|max by)|reporter="source"/.test(promql),
    );
    expect(earlier.length).toBeGreaterThan(0);
    expect(earlier.every(({ promql }) => /\[600s\]|offset 600s/.test(promql))).toBe(true);
  });

  it("counts from when a Prometheus knows every counter again that has lost what it had", async () => {
    const fake = fullMetrics(hasSome(100.4));
    const found = await readings("cluster-b", fake, judged, gateSettings, phase);
    expect(found.map(({ counts }) => counts?.canary.trials)).toEqual([100, 100, 1000, 1000, 50]);
    const counted = fake.asked.filter(({ promql }) =>
      promql.startsWith("sum by (destination_version, response_code, grpc"),
    );
    // All of what it knows, and the last minute.
    expect(counted.map(({ promql }) => /offset (\d+s)\)/.exec(promql)?.[1])).toEqual([
      "70s",
      "60s",
    ]);
    expect(JSON.stringify(counted)).not.toContain("300s");
  });

  it("counts nothing until it does", async () => {
    const fake = fullMetrics(hasSome(20));
    const found = await readings("cluster-b", fake, judged, gateSettings, phase);
    expect(found.every(({ counts }) => counts?.canary.trials === 0)).toBe(true);
    expect(fake.asked.every(({ promql }) => promql.includes("up{"))).toBe(true);
  });

  it("counts nothing yet until the weight has settled, and no share at weight 0", async () => {
    const fake = fullMetrics();
    const early = await readings("cluster-b", fake, judged, gateSettings, {
      ...phase,
      now: T0 + 30_500,
    });
    expect(fake.asked).toEqual([]);
    expect(early.every(({ counts }) => counts?.canary.trials === 0)).toBe(true);
    const trial = await readings("cluster-b", fullMetrics(), judged, gateSettings, {
      ...phase,
      weight: 0,
    });
    expect(trial.map(({ gate }) => gate)).toEqual([...builtInGatesBut("share"), "checkout"]);
  });

  it("counts no share before the pods have been read for as long as the weight had to settle", async () => {
    const trials = async (now: number) => {
      const found = await readings("cluster-b", fullMetrics(), judged, gateSettings, {
        ...phase,
        now,
      });
      return found.map(({ gate, counts }) => [gate, counts?.canary.trials]);
    };
    expect(await trials(T0 + 59_000)).toContainEqual(["share", 0]);
    expect(await trials(T0 + 59_000)).toContainEqual(["successRate", 100]);
    expect(await trials(T0 + 60_000)).toContainEqual(["share", 1000]);
  });

  it("says why a Prometheus gives no counts", async () => {
    const away: Metrics = { query: () => Promise.reject(new Error("connection refused")) };
    const found = await readings("cluster-b", away, judged, gateSettings, phase);
    expect(found).toHaveLength(gateSettings.gates.length);
    for (const { counts, silent } of found) {
      expect(counts).toBeUndefined();
      expect(silent).toBe("connection refused");
    }
  });
});

describe("what a Prometheus does not know", () => {
  type Answers = ConstructorParameters<typeof FakeMetrics>[0];
  const known: Answers = [hasSamples];
  /** What each gate is told, or why it is told nothing. */
  const told = async (answers: Answers, of: typeof gateSettings = gateSettings, more = {}) => {
    const fake = new FakeMetrics([...known, ...answers]);
    const found = await readings("cluster-b", fake, judged, of, { ...phase, ...more });
    return Object.fromEntries(
      found.map(({ gate, counts, silent, idle }) => [gate, idle ? "idle" : (silent ?? counts)]),
    );
  };
  const served: Answers = [
    ["istio_requests_total", [requests("v1", "200", 900), requests("v2", "200", 100)]],
  ];
  const fast: Answers = [
    [
      "_bucket",
      ["v1", "v2"].flatMap((version) =>
        ["500", "+Inf"].map((le) => bucket(version, le, version === "v1" ? 900 : 100)),
      ),
    ],
  ];
  const own = (bad: number[], all: number[]): Answers => [
    ["bad{", bad.map((value) => ({ labels: {}, value }))],
    ["all_of_", all.map((value) => ({ labels: {}, value }))],
  ];

  it("is a bucket that its series lack, not a canary that is always slow", async () => {
    const without: Answers = [
      ["_bucket", ["v1", "v2"].map((version) => bucket(version, "+Inf", 100))],
    ];
    const { latency, successRate } = await told([...served, ...without, ...own([0], [50])]);
    expect(latency).toBe(
      'the series istio_request_duration_milliseconds_bucket of v2 lack le="500", the bound of 500ms: set rollout.gates.latency.within to a bucket that they have',
    );
    expect(successRate).toMatchObject({ canary: { hits: 0, trials: 100 } });
    const stableLacks: Answers = [
      ["_bucket", [bucket("v1", "+Inf", 900), ...["500", "+Inf"].map((le) => bucket("v2", le, 9))]],
    ];
    expect((await told([...served, ...stableLacks]))["latency"]).toContain("_bucket of v1 lack");
  });

  it("is what a query of one's own gives nothing for, or no number", async () => {
    const found = async (bad: number[], all: number[]) =>
      (await told([...served, ...fast, ...own(bad, all)]))["checkout"];
    expect(await found([0], [50])).toMatchObject({ canary: { hits: 0, trials: 50 } });
    expect(await found([], [50])).toBe(
      'its query `bad` gives no value for v2, which is not the same as 0: sum(increase(bad{version="v2",namespace="user"}[300s])). If no value means 0 there, add "or vector(0)" to it.',
    );
    expect(await found([0], [])).toMatch(/^its query `all` gives no value for v2/);
    expect(await found([Number.NaN], [50])).toMatch(/^its query `bad` gives NaN for v2/);
    expect(await found([0], [Number.POSITIVE_INFINITY])).toMatch(/^its query `all` gives Infinity/);
  });

  it("is the version of requests whose series do not name it", async () => {
    for (const version of ["", "unknown"]) {
      const { successRate } = await told([
        ["istio_requests_total", [requests("v1", "200", 10), requests(version, "200", 90)]],
      ]);
      expect(successRate).toBe(
        'there are series of 90 requests to user-service.user.svc.cluster.local, but they lack the label destination_version: Istio takes it from the label "version" of the pods',
      );
    }
  });

  it("is nothing where neither version got a request, and its proxies are read", async () => {
    const read: Answers = [["== 1)", [{ labels: {}, value: 3 }]]];
    const idle = { successRate: "idle", latency: "idle", unreached: "idle", share: "idle" };
    expect(await told([...read, ...own([0], [0])])).toEqual({ ...idle, checkout: "idle" });
    expect(await told(read)).toEqual({ ...idle, checkout: "idle" });
    expect(await told([...read, ...own([0], [20])])).toMatchObject({
      ...idle,
      checkout: { canary: { hits: 0, trials: 20 } },
    });
    const none = await told(own([0], [0]));
    for (const gate of ["successRate", "latency", "checkout"]) {
      expect(none[gate]).toBe(
        'it has no requests, and reads no proxy of user/user-service: no series up{cluster="cluster-b",namespace="user"} of its pods is 1',
      );
    }
  });

  it("does not make a cluster idle that is not counted yet", async () => {
    const fake = new FakeMetrics([...hasSome(20), ["== 1)", [{ labels: {}, value: 3 }]]]);
    const found = await readings("cluster-b", fake, judged, gateSettings, phase);
    expect(found.map(({ idle }) => idle ?? false)).not.toContain(true);
  });
});

describe("requests without an answer, and gRPC", () => {
  const counted = async (...samples: Parameters<typeof answer>[]) => {
    const fake = new FakeMetrics([
      hasSamples,
      ["istio_requests_total", samples.map((each) => answer(...each))],
    ]);
    const [first] = await readings("cluster-b", fake, judged, gateSettings, phase);
    return first?.counts?.canary;
  };
  const answer = (code: string, grpc: string, value: number) => ({
    labels: { destination_version: "v2", response_code: code, grpc_response_status: grpc },
    value,
  });

  it("leaves out those whose client gave up", async () => {
    expect(await counted(["200", "", 90], ["0", "", 30], ["503", "", 10])).toEqual({
      hits: 10,
      trials: 100,
    });
  });

  it.each(["2", "4", "8", "12", "13", "14", "15"])(
    "counts gRPC status %s as failed",
    async (code) => {
      expect(await counted(["200", "0", 90], ["200", code, 10])).toEqual({ hits: 10, trials: 100 });
    },
  );

  it.each(["1", "3", "5", "6", "7", "9", "10", "11", "16"])(
    "counts gRPC status %s as the caller's doing",
    async (code) => {
      expect(await counted(["200", "0", 90], ["200", code, 10])).toEqual({ hits: 0, trials: 100 });
    },
  );
});

describe("a Prometheus that reads proxies more than once, or has seen one restart", () => {
  const asked = async (...answers: ConstructorParameters<typeof FakeMetrics>[0]) => {
    const fake = fullMetrics([hasSamples, ...answers]);
    await readings("cluster-b", fake, judged, gateSettings, phase);
    return fake.asked
      .map(({ promql }) => promql)
      .filter((promql) => promql.startsWith("sum by") && promql.includes("[300s]"));
  };

  it("is asked for one sample of each proxy, whatever labels its targets have, but for Istio's own", async () => {
    const labels = { ha_replica: "1", destination_version: "v2", app: "x" };
    const queries = await asked(["count without (job", [{ labels, value: 1 }]]);
    expect(queries).toHaveLength(3);
    for (const promql of queries) {
      expect(promql).toContain("prometheus_replica, replica, ha_replica, app) (label_replace");
    }
  });

  it("is asked for what the restarted ones had before", async () => {
    const instance = "10.0.0.1:15020";
    const queries = await asked([
      "resets(istio_requests_total",
      [{ labels: { instance }, value: 1 }],
    ]);
    expect(queries).toHaveLength(3);
    for (const promql of queries) {
      expect(promql).toContain('instance=~"10[.]0[.]0[.]1[:]15020"}[1h] offset 5s)');
      expect(promql).toContain("[300s:5s])");
    }
    expect(JSON.stringify(await asked())).not.toContain("sum_over_time");
  });
});
