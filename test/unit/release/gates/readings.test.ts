import { describe, expect, it } from "vitest";
import type { Metrics } from "../../../../release/gates/counters.ts";
import { readings, type Phase } from "../../../../release/gates/readings.ts";
import { HORIZON_MS, RISK_OF_WHOLE, restarts } from "../../../../release/gates/restarts.ts";
import { gatesOf, heldWhereAllIdle, verdict } from "../../../../release/gates/verdict.ts";
import { bucket, FakeMetrics, hasSamples, requests, unreached } from "../../../helpers/metrics.ts";
import { schema } from "../../../../stacks/schema.ts";

const judged = {
  service: "user-service",
  namespace: "user",
  host: "user-service.user.svc.cluster.local",
  stable: "v1",
  canary: "v2",
};
const T0 = Date.UTC(2026, 0, 1);
const phase: Phase = {
  weight: 10,
  since: T0,
  now: T0 + 330_000,
  settleMs: 30_000,
  beforeMs: 600_000,
};

const query = {
  name: "checkout",
  bad: 'sum(increase(bad{version="{{version}}",namespace="{{namespace}}"}[{{window}}]))',
  all: "sum(increase(all_of_{{version}}_in_{{cluster}}[{{window}}]))",
};
const config = schema.rollout.parse({ gates: { queries: [query] } }).gates;
const settings = { config, gates: gatesOf(config) };

/** A Prometheus that has samples of the last seconds only. */
const hasSome = (seconds: number) =>
  [["time() - min(min_over_time(timestamp(up", [{ labels: {}, value: seconds }]]] as const;

const full = (known: ConstructorParameters<typeof FakeMetrics>[0] = [hasSamples]) =>
  new FakeMetrics([
    ...known,
    [
      "istio_requests_total",
      [
        requests("v1", "200", 895),
        requests("v1", "503", 5),
        requests("v2", "200", 70),
        requests("v2", "404", 2),
        requests("v2", "500", 25),
        requests("v2", "503", 3),
      ],
    ],
    [
      "istio_request_duration_milliseconds_bucket",
      [
        bucket("v1", "500.0", 890),
        bucket("v1", "+Inf", 900),
        bucket("v2", "500", 96),
        bucket("v2", "+Inf", 100),
      ],
    ],
    ["bad{", [{ labels: {}, value: 2.0000001 }]],
    ["all_of_", [{ labels: {}, value: 50 }]],
  ]);

describe("readings", () => {
  it("counts failed and slow requests of both versions, the canary's share, and what own queries count", async () => {
    const found = await readings("cluster-b", full(), judged, settings, phase);
    expect(found.map(({ gate, counts }) => [gate, counts])).toEqual([
      ["successRate", { canary: { hits: 28, trials: 100 }, stable: { hits: 5, trials: 900 } }],
      ["latency", { canary: { hits: 4, trials: 100 }, stable: { hits: 10, trials: 900 } }],
      ["unreached", { canary: { hits: 0, trials: 1000 }, stable: { hits: 0, trials: 1000 } }],
      ["share", { canary: { hits: 100, trials: 1000 }, stable: { hits: 0, trials: 0 } }],
      ["checkout", { canary: { hits: 2, trials: 50 }, stable: { hits: 2, trials: 50 } }],
    ]);
  });

  it("asks for the cluster's own requests since the weight has settled", async () => {
    const fake = full();
    await readings("cluster-b", fake, judged, settings, phase);
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
    const fake = full();
    await readings("cluster-b", fake, judged, settings, { ...phase, weight: 100 });
    const earlier = fake.asked.filter(
      ({ promql, at }) =>
        at?.getTime() === T0 && !/^(?:count without|max by)|reporter="source"/.test(promql),
    );
    expect(earlier.length).toBeGreaterThan(0);
    expect(earlier.every(({ promql }) => /\[600s\]|offset 600s/.test(promql))).toBe(true);
  });

  it("counts from when a Prometheus knows every counter again that has lost what it had", async () => {
    const fake = full(hasSome(100.4));
    const found = await readings("cluster-b", fake, judged, settings, phase);
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
    const fake = full(hasSome(20));
    const found = await readings("cluster-b", fake, judged, settings, phase);
    expect(found.map(({ counts }) => counts?.canary.trials)).toEqual([0, 0, 0, 0, 0]);
    expect(fake.asked.every(({ promql }) => promql.includes("up{"))).toBe(true);
  });

  it("counts nothing yet until the weight has settled, and no share at weight 0", async () => {
    const fake = full();
    const early = await readings("cluster-b", fake, judged, settings, {
      ...phase,
      now: T0 + 30_500,
    });
    expect(fake.asked).toEqual([]);
    expect(early.every(({ counts }) => counts?.canary.trials === 0)).toBe(true);
    const trial = await readings("cluster-b", full(), judged, settings, { ...phase, weight: 0 });
    expect(trial.map(({ gate }) => gate)).toEqual([
      "successRate",
      "latency",
      "unreached",
      "checkout",
    ]);
  });

  it("counts no share before the pods have been read for as long as the weight had to settle", async () => {
    const trials = async (now: number) => {
      const found = await readings("cluster-b", full(), judged, settings, { ...phase, now });
      return found.map(({ gate, counts }) => [gate, counts?.canary.trials]);
    };
    expect(await trials(T0 + 59_000)).toContainEqual(["share", 0]);
    expect(await trials(T0 + 59_000)).toContainEqual(["successRate", 100]);
    expect(await trials(T0 + 60_000)).toContainEqual(["share", 1000]);
  });

  it("says why a Prometheus gives no counts", async () => {
    const away: Metrics = { query: () => Promise.reject(new Error("connection refused")) };
    const found = await readings("cluster-b", away, judged, settings, phase);
    expect(found).toHaveLength(5);
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
  const told = async (answers: Answers, of: typeof settings = settings, more = {}) => {
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
      'its query `bad` gives nothing for v2, which is not 0: sum(increase(bad{version="v2",namespace="user"}[300s])). If nothing means 0 there, add "or vector(0)" to it.',
    );
    expect(await found([0], [])).toMatch(/^its query `all` gives nothing for v2/);
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
    const found = await readings("cluster-b", fake, judged, settings, phase);
    expect(found.map(({ idle }) => idle ?? false)).not.toContain(true);
  });
});

describe("requests without an answer, and gRPC", () => {
  const counted = async (...samples: Parameters<typeof answer>[]) => {
    const fake = new FakeMetrics([
      hasSamples,
      ["istio_requests_total", samples.map((each) => answer(...each))],
    ]);
    const [first] = await readings("cluster-b", fake, judged, settings, phase);
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
    const fake = full([hasSamples, ...answers]);
    await readings("cluster-b", fake, judged, settings, phase);
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

describe("what the clients of a cluster have seen", () => {
  const call = (version: string, code: string, flags: string, value: number, more = {}) => ({
    labels: {
      ...{ destination_version: version, response_code: code, response_flags: flags },
      ...{ destination_service: judged.host, source_workload_namespace: "shop", ...more },
    },
    value,
  });
  type Call = ReturnType<typeof call>;
  /** The verdicts on calls during the phase and before it, at a weight. */
  const verdicts = async (during: Call[], before: Call[] = [], weight = 10) => {
    const metrics: Metrics = {
      query: (promql, at) => {
        const early = at?.getTime() === phase.since;
        if (promql.includes("count(last_over_time(up")) return Promise.resolve(hasSamples[1]);
        if (promql.startsWith("count") || promql.startsWith("max by")) return Promise.resolve([]);
        if (promql.includes('reporter="source"')) return Promise.resolve(early ? before : during);
        const source_cluster = "cluster-b";
        return Promise.resolve(
          promql.includes("istio_requests_total")
            ? [
                {
                  labels: { destination_version: "v2", response_code: "200", source_cluster },
                  value: 90,
                },
              ]
            : [],
        );
      },
    };
    const found = await readings("cluster-b", metrics, judged, settings, { ...phase, weight });
    return Object.fromEntries(
      settings.gates.flatMap((gate) => {
        const reading = found.find((each) => each.gate === gate.name);
        return reading
          ? [[gate.name, verdict(gate, reading, weight, { risk: 0.001, minSamples: 100 })] as const]
          : [];
      }),
    );
  };
  const good = [call("v1", "200", "-", 9000), call("v2", "200", "-", 1000)];
  const lost = (value: number, flags = "NC", version = "unknown") => [
    ...good,
    call(version, "503", flags, value),
  ];

  it("counts what no pod has answered, of all that they have called", async () => {
    const { unreached } = await verdicts(lost(1200), good);
    expect(unreached).toMatchObject({ outcome: "fail", blind: false });
    expect(unreached?.text).toMatch(
      /^cluster-b: requests that reached a pod of user\/user-service, as the cluster's clients saw it: 89\.3 % \(confidence interval .+\) of 11200 requests, at least 99\.9 % \(NC 1200\)$/,
    );
  });

  it("fails where every client gets nothing, because a DestinationRule is gone", async () => {
    const nothing = [
      call("unknown", "503", "NC", 500, { destination_service: "user-service.user:80" }),
      call("", "503", "NC", 300, {
        destination_service: "user-service",
        source_workload_namespace: "user",
      }),
    ];
    const { unreached } = await verdicts(nothing, good);
    expect(unreached).toMatchObject({ outcome: "fail", judgement: { value: 100, samples: 800 } });
  });

  it.each(["UF", "UH", "UO", "NR", "NC", "UT", "DF", "UC", "UR", "LR", "URX,UF"])(
    "takes %s for a request without an answer",
    async (flags) => {
      const { unreached } = await verdicts(lost(1200, flags), good);
      expect(unreached?.judgement).toMatchObject({ samples: 11_200 });
      expect(unreached?.outcome).toBe("fail");
    },
  );

  it("takes no answer, and no client that gave up, for one", async () => {
    const calls = [...lost(500, "-"), call("v1", "0", "DC", 700), call("v2", "503", "URX", 100)];
    const { unreached } = await verdicts(calls, good);
    expect(unreached).toMatchObject({ outcome: "pass", judgement: { value: 0, samples: 10_600 } });
  });

  it("allows what was so before the phase, what was meant for stable, and as much of all as the canary gets", async () => {
    const outcome = async (...of: Parameters<typeof verdicts>) =>
      (await verdicts(...of))["unreached"]?.outcome;
    expect(await outcome(lost(1200), lost(1200))).not.toBe("fail");
    expect(await outcome(lost(1200, "UF", "v1"), good)).toBe("pass");
    // 1 % of all: ten times as much as the canary's tenth may have, and what it may have where it gets all.
    expect(await outcome(lost(100), good)).toBe("fail");
    expect(await outcome(lost(100), good, 100)).toBe("pass");
    expect(await outcome(lost(100), [])).toBe("fail");
  });

  it("leaves out other services of that name", async () => {
    const other = call("unknown", "503", "NC", 1200, { destination_service: "user-service" });
    const { unreached } = await verdicts([...good, other], good);
    expect(unreached).toMatchObject({ outcome: "pass", judgement: { samples: 10_000 } });
  });

  it("names the flags' requests by every name of the service", async () => {
    const fake = full();
    const more = { ...judged, otherHosts: ["shop.example.com"] };
    await readings("cluster-b", fake, more, settings, phase);
    const asked = fake.asked.find(({ promql }) => promql.includes('reporter="source"'));
    expect(asked?.promql).toContain(
      '{reporter="source",source_cluster="cluster-b",destination_service=~"(?:user-service(?:[.]user(?:[.]svc(?:[.]cluster[.]local)?)?)?|shop[.]example[.]com)(?::[0-9]+)?"}',
    );
  });

  it("has the canary's share, which mirrored requests are no part of", async () => {
    const { share } = await verdicts(good, good);
    expect(share).toMatchObject({ outcome: "pass", judgement: { value: 10, samples: 10_000 } });
  });

  it("is unknown where pods have answered clients that Prometheus does not read", async () => {
    const { unreached, share } = await verdicts([], []);
    for (const verdict of [unreached, share]) {
      expect(verdict).toMatchObject({ outcome: "hold", blind: true });
      expect(verdict?.text).toContain(
        `it has no series reporter="source" of cluster-b's clients, of whom the pods have answered 90 requests: it does not read the clients' proxies`,
      );
    }
  });
});

describe("a fault that begins late", () => {
  /** A Prometheus that gives other counts for stretches that are no longer than so many seconds. */
  const changing = (lastSeconds: number, good: number, bad: number): Metrics => ({
    query: (promql) => {
      if (promql.includes("count(last_over_time(up")) return Promise.resolve(hasSamples[1]);
      if (!promql.startsWith("sum by")) return Promise.resolve([]);
      const seconds = Number(/\[(\d+)s\]/.exec(promql)?.[1]);
      const failed = Math.min(seconds, lastSeconds) * bad;
      const all = seconds * good;
      if (promql.includes("_bucket")) {
        return Promise.resolve(
          ["v1", "v2"].flatMap((version) => [
            bucket(version, "500", all),
            bucket(version, "+Inf", all),
          ]),
        );
      }
      return Promise.resolve([
        requests("v1", "200", 9 * all),
        requests("v2", "200", all - failed),
        promql.includes('reporter="source"')
          ? unreached("UF", failed)
          : requests("v2", "503", failed),
      ]);
    },
  });
  const HOUR = 3_600_000;
  const outcomes = async (metrics: Metrics, lasted = 24 * HOUR) => {
    const now = phase.since + phase.settleMs + lasted;
    const found = await readings("cluster-b", metrics, judged, settings, { ...phase, now });
    return settings.gates.flatMap((gate) => {
      const reading = found.find((each) => each.gate === gate.name);
      return reading ? [verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 })] : [];
    });
  };

  it("fails what the whole phase hides, and says since when", async () => {
    const verdicts = await outcomes(changing(90, 50, 2.5));
    const failed = verdicts.filter(({ outcome }) => outcome === "fail");
    expect(failed.map(({ gate }) => gate)).toEqual(["successRate", "unreached"]);
    for (const { text } of failed)
      expect(text).toMatch(/ in the last (60|120|240) s(?: \(UF \d+\))?$/);
    expect((await outcomes(changing(0, 50, 2.5))).map(({ outcome }) => outcome)).not.toContain(
      "fail",
    );
  });

  it("is looked for in stretches of the phase alone", () => {
    expect(restarts(119_000)).toEqual([]);
    expect(restarts(120_000).map(({ seconds }) => seconds)).toEqual([60]);
    expect(restarts(515_000).map(({ seconds }) => seconds)).toEqual([95, 155, 275]);
    for (let minutes = 2; minutes < 300; minutes += 0.25) {
      for (const { seconds } of restarts(minutes * 60_000)) {
        expect(seconds).toBeLessThan(minutes * 60);
      }
    }
  });

  it("has no more risk over the horizon than the gate's, with the whole phase", () => {
    const begun = new Map<string, number>();
    for (let at = 0; at <= HORIZON_MS; at += 15_000) {
      for (const { seconds, riskPart } of restarts(at)) {
        begun.set(`${at / 1000 - seconds} ${riskPart}`, riskPart);
      }
    }
    const total = [...begun.values()].reduce((sum, each) => sum + each, RISK_OF_WHOLE);
    expect(total).toBeLessThanOrEqual(1);
    expect(total).toBeGreaterThan(0.95);
  });
});

describe("idle clusters", () => {
  const settled = async (...answers: ConstructorParameters<typeof FakeMetrics>[0][]) => {
    const [gate] = settings.gates;
    if (!gate) throw new Error("there is no gate");
    const verdicts = await Promise.all(
      answers.map(async (each, i) => {
        const fake = new FakeMetrics([hasSamples, ...each]);
        const [first] = await readings(`cluster-${i}`, fake, judged, settings, phase);
        if (!first) throw new Error("there is no reading");
        return verdict(gate, first, 10, { risk: 0.001, minSamples: 100 });
      }),
    );
    return heldWhereAllIdle(verdicts).map(({ outcome, blind, text }) => ({ outcome, blind, text }));
  };
  const idle: ConstructorParameters<typeof FakeMetrics>[0] = [
    ["== 1)", [{ labels: {}, value: 3 }]],
  ];
  const busy: ConstructorParameters<typeof FakeMetrics>[0] = [
    ["istio_requests_total", [requests("v1", "200", 9000), requests("v2", "200", 1000)]],
  ];
  const name = "success rate of v2 of user/user-service: idle, neither version got a request";

  it("are named, and not waited for", async () => {
    const [first, second] = await settled(busy, idle);
    expect(first?.outcome).toBe("pass");
    expect(second).toEqual({ outcome: "idle", blind: false, text: `cluster-1: ${name}` });
  });

  it("hold where all are: nothing of the canary has been seen", async () => {
    expect(await settled(idle, idle)).toEqual(
      [0, 1].map((i) => ({
        outcome: "hold",
        blind: false,
        text: `cluster-${i}: ${name}, and no other cluster either`,
      })),
    );
  });
});

describe("a verdict", () => {
  it("names cluster, metric, value, bounds, samples and limit", async () => {
    const found = await readings("cluster-b", full(), judged, settings, phase);
    const [reading] = found;
    const [gate] = settings.gates;
    if (!reading || !gate) throw new Error("there is no gate");
    const judgedBad = verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 });
    expect(judgedBad.outcome).toBe("fail");
    expect(judgedBad.text).toMatch(
      /^cluster-b: success rate of v2 of user\/user-service: 72\.0 % \(confidence interval \d\d\.\d … \d\d\.\d %\) of 100 requests, at least 98\.4 %$/,
    );
  });

  it("is blind, not bad, without an answer", () => {
    const [gate] = settings.gates;
    if (!gate) throw new Error("there is no gate");
    const reading = {
      cluster: "cluster-b",
      service: "user/user-service",
      version: "v2",
      gate: gate.name,
      counts: undefined,
      silent: "connection refused",
    };
    expect(verdict(gate, reading, 10, { risk: 0.001, minSamples: 100 })).toMatchObject({
      outcome: "hold",
      blind: true,
      text: "cluster-b: success rate of v2 of user/user-service is unknown: connection refused",
    });
  });
});
