import { describe, expect, it } from "vitest";
import type { Metrics } from "../../../../release/gates/counters.ts";
import { readings } from "../../../../release/gates/readings.ts";
import { verdict } from "../../../../release/gates/verdict.ts";
import { fullMetrics, gateSettings, judged, phase } from "../../../helpers/gate-readings.ts";
import { hasSamples } from "../../../helpers/metrics.ts";

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
    const found = await readings("cluster-b", metrics, judged, gateSettings, { ...phase, weight });
    return Object.fromEntries(
      gateSettings.gates.flatMap((gate) => {
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
    const fake = fullMetrics();
    const more = { ...judged, otherHosts: ["shop.example.com"] };
    await readings("cluster-b", fake, more, gateSettings, phase);
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
