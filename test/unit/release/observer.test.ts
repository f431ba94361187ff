import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { readDeployed } from "../../../fleet/read-deployed.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import type { Metrics } from "../../../release/gates/counters.ts";
import { failureId } from "../../../lib/journal.ts";
import { Journal, type GuardNote, type Pause } from "../../../release/journal.ts";
import { Observer, pausedBy, phaseWeights } from "../../../release/observer.ts";
import { nextStep, phase } from "../../../release/planner.ts";
import { releaseName } from "../../../release/release-settings.ts";
import { askWebhooks } from "../../../release/webhooks.ts";
import { schema } from "../../../stacks/schema.ts";
import { CHAIN, deployedChain, FOLLOWER } from "../../helpers/chain.ts";
import { deployedCluster, KEY, split as v } from "../../helpers/deployed.ts";
import { settings as fixture, type ConfigOptions } from "../../helpers/fixtures.ts";
import { builtInGatesBut } from "../../helpers/gate-readings.ts";
import { FakeMetrics, hasSamples, metricsWith, requests } from "../../helpers/metrics.ts";
import { rolloutPlan } from "../../helpers/rollout-plan.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));
vi.mock(import("../../../release/webhooks.ts"), async (original) => ({
  ...(await original()),
  askWebhooks: vi.fn<typeof askWebhooks>(),
}));

const T0 = Date.UTC(2026, 0, 1);
const NOW = T0 + 600_000;
const RELEASE = releaseName(fixture());
const running = phase(RELEASE, 10, T0);
const names = ["cluster-a", "cluster-b"];
const both = (weight: number, other = weight) =>
  [weight, other].map((each, i) => deployedCluster(names[i] ?? "", v("v1", "v2", each)));
const away = (name: string): DeployedCluster => ({
  name,
  unreachable: "no answer in time",
  routes: new Map(),
});

const PLAN = rolloutPlan({ bakeMs: 60_000, noDataLimitMs: 600_000 });

interface Options extends ConfigOptions {
  readonly rollout?: object;
  readonly metrics?: readonly Metrics[];
  readonly pause?: Pause | Error;
  readonly guards?: readonly GuardNote[];
  readonly forgiven?: readonly string[];
}

function observer(options: Options = {}) {
  const {
    rollout = {},
    metrics = [metricsWith(0), metricsWith(0)],
    pause,
    guards = [],
    forgiven = [],
  } = options;
  const settings = {
    ...fixture(options),
    rollout: schema.rollout.parse(rollout),
  };
  const journal = new Journal([], []);
  vi.spyOn(journal, "read").mockImplementation(() =>
    pause instanceof Error
      ? Promise.reject(pause)
      : Promise.resolve({
          progress: undefined,
          pause,
          watch: undefined,
          guards,
          forgiven,
          events: [],
          silent: new Map(),
        }),
  );
  return new Observer(
    settings,
    settings.clusters as unknown as readonly ClusterClient[],
    new Map(metrics.map((each, i) => [names[i] ?? "", each])),
    journal,
    1,
  );
}

beforeEach(() => {
  vi.mocked(readDeployed).mockReset().mockResolvedValue(both(10));
  vi.mocked(askWebhooks).mockReset().mockResolvedValue([]);
});

describe("phaseWeights", () => {
  const [, second = away("")] = both(10, 0);

  it("are those of every canary on trial", () => {
    expect(phaseWeights(fixture(), deployedCluster("cluster-a", v("v1", "v2", 30)))).toEqual([30]);
    // A version other than the canary does not count.
    expect(phaseWeights(fixture(), deployedCluster("cluster-a", v("v1", "v3", 30)))).toEqual([0]);
  });

  it("are none in quarantine, unless the canary gets requests there all the same", () => {
    const settings = fixture({ quarantine: ["cluster-b"] });
    expect(phaseWeights(settings, second)).toEqual([]);
    expect(phaseWeights(fixture(), second)).toEqual([0]);
    expect(phaseWeights(settings, deployedCluster("cluster-b", v("v1", "v2", 10)))).toEqual([10]);
  });

  it("name a service that is not there", () => {
    expect(() => phaseWeights(fixture(), deployedCluster("cluster-a", undefined))).toThrow(
      `cluster-a does not have ${KEY} yet: run pulumi up first`,
    );
  });
});

describe("a look", () => {
  it("has every cluster's weights, and what every gate says in every cluster", async () => {
    const { release, clusters, verdicts, paused } = await observer().look(running, NOW);
    expect(release).toBe(RELEASE);
    expect(clusters).toEqual(names.map((name) => ({ name, weights: [10] })));
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(
      names.flatMap(() => builtInGatesBut().map(() => "pass")),
    );
    expect(verdicts.map(({ text }) => text.split(/ of v2| \(confidence/)[0])).toEqual(
      names.flatMap((name) =>
        [
          "success rate",
          "answers in time",
          "requests that reached a pod of user/user-service, as the cluster's clients saw it: 100.0 %",
          "share of the requests",
        ].map((gate) => `${name}: ${gate}`),
      ),
    );
    expect(paused).toBeUndefined();
  });

  it("does not take a promotion that is being written for clusters that differ", async () => {
    vi.mocked(readDeployed).mockResolvedValueOnce(both(30, 10)).mockResolvedValueOnce(both(30));
    const promoted = await observer().look(running, NOW);
    expect(promoted.clusters.map(({ weights }) => weights)).toEqual([[30], [30]]);
    vi.mocked(readDeployed).mockResolvedValue(both(30, 10));
    const { step } = nextStep(running, await observer().look(running, NOW), PLAN, NOW);
    expect(step).toEqual({
      do: "roll-back",
      reason: "the clusters differ: 30 % in cluster-a, 10 % in cluster-b",
    });
    expect(readDeployed).toHaveBeenCalledTimes(4);
  });

  it("names the cluster in which alone the canary is bad", async () => {
    const bad = observer({ metrics: [metricsWith(0), metricsWith(100)] });
    const { verdicts } = await bad.look(running, NOW);
    const failed = verdicts.filter(({ outcome }) => outcome === "fail");
    expect(failed.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^cluster-b: success rate of v2 of user\/user-service: 90\.0 %/),
    ]);
  });

  it("counts since the phase began, and afresh where another weight or release is deployed", async () => {
    const windows = async (progress: typeof running, weight = 10) => {
      vi.mocked(readDeployed).mockResolvedValue(both(weight));
      const metrics = metricsWith(0);
      await observer({ metrics: [metrics] }).look(progress, NOW);
      return metrics.asked.length > 0;
    };
    expect(await windows(running)).toBe(true);
    expect(await windows(running, 30)).toBe(false);
    expect(await windows({ ...running, release: "user/user-service v3" })).toBe(false);
  });

  it("does not judge at weight 0, unless there is a trial", async () => {
    vi.mocked(readDeployed).mockResolvedValue(both(0));
    const at0 = phase(RELEASE, 0, T0);
    expect((await observer().look(at0, NOW)).verdicts).toEqual([]);
    const trial = observer({ rollout: { trial: "10m" } });
    expect((await trial.look(at0, NOW)).verdicts).toHaveLength(
      names.length * builtInGatesBut("share").length,
    );
  });

  it("judges no cluster that is away, and the share nowhere meanwhile", async () => {
    const { verdicts } = await observer({ away: ["cluster-b"] }).look(running, NOW);
    expect(verdicts).toHaveLength(builtInGatesBut("share").length);
    expect(verdicts.every(({ text }) => text.startsWith("cluster-a: "))).toBe(true);
  });

  it("leaves out a cluster in quarantine, and the share everywhere meanwhile", async () => {
    vi.mocked(readDeployed).mockResolvedValue(both(10, 0));
    const { clusters, verdicts } = await observer({ quarantine: ["cluster-b"] }).look(running, NOW);
    expect(clusters.map(({ weights }) => weights)).toEqual([[10], []]);
    expect(verdicts).toHaveLength(
      builtInGatesBut("share").length + builtInGatesBut("share", "unreached").length,
    );
    expect(JSON.stringify(verdicts)).not.toContain("share of the requests");
  });

  it("names a cluster that is away, and judges the others all the same", async () => {
    vi.mocked(readDeployed).mockResolvedValue([...both(10).slice(0, 1), away("cluster-b")]);
    const seen = await observer({ metrics: [metricsWith(100)] }).look(running, NOW);
    expect(seen.clusters).toEqual([
      { name: "cluster-a", weights: [10] },
      { name: "cluster-b", weights: [], unreachable: "no answer in time" },
    ]);
    expect(seen.verdicts.some(({ outcome }) => outcome === "fail")).toBe(true);
  });

  it("judges the canary at its last weight while no cluster answers", async () => {
    vi.mocked(readDeployed).mockResolvedValue(names.map(away));
    const seen = await observer({ metrics: [metricsWith(100)] }).look(running, NOW);
    expect(seen.verdicts.some(({ outcome }) => outcome === "fail")).toBe(true);
  });

  it("names a service that somebody has removed", async () => {
    vi.mocked(readDeployed).mockResolvedValue([
      ...both(10).slice(0, 1),
      deployedCluster("cluster-b", undefined),
    ]);
    const { clusters } = await observer().look(running, NOW);
    expect(clusters[1]).toEqual({ name: "cluster-b", weights: [], lacks: KEY });
  });

  it("has what webhooks say", async () => {
    const no = { outcome: "fail", blind: false, text: "webhook smoke says no" } as const;
    vi.mocked(askWebhooks).mockResolvedValue([no]);
    const { verdicts } = await observer().look(running, NOW);
    expect(verdicts).toHaveLength(names.length * builtInGatesBut().length + 1);
    expect(verdicts.at(-1)).toEqual(no);
    const [, when, body] = vi.mocked(askWebhooks).mock.calls[0] ?? [];
    expect([when, body]).toEqual(["during", { release: RELEASE, clusters: names, weight: 10 }]);
  });

  it("with a bad canary waits for no webhook, and not for the memory", async () => {
    vi.mocked(askWebhooks).mockReturnValue(new Promise(() => undefined));
    const bad = observer({ metrics: [metricsWith(100), metricsWith(0)], pause: new Error("away") });
    const { verdicts } = await bad.look(running, NOW);
    expect(verdicts.some(({ outcome }) => outcome === "fail")).toBe(true);
  });

  it("says who has paused, and holds while nobody knows", async () => {
    const pause = { at: T0, paused: true, by: "ann@laptop" };
    expect((await observer({ pause }).look(running, NOW)).paused).toBe(pausedBy(pause));
    const { verdicts, paused } = await observer({ pause: new Error("forbidden") }).look(
      running,
      NOW,
    );
    expect(paused).toBeUndefined();
    expect(verdicts.at(-1)).toEqual({
      outcome: "hold",
      blind: true,
      text: "whether it is paused is not known: forbidden",
    });
  });
});

describe("a look at what guards say", () => {
  const failed = { reason: "slow", weight: 10, since: T0, at: T0 };
  const note = (more: Partial<GuardNote> = {}): GuardNote => ({
    ...{ format: 1, at: T0, cluster: "cluster-b", startedAt: T0, release: RELEASE, weight: 10 },
    ...{ since: T0, failures: { consecutive: 1, total: 1 }, failed, contactAt: T0 },
    ...{ does: "lower", says: "slow" },
    ...more,
  });
  const seen = async (more: Partial<GuardNote> = {}, progress = running) =>
    (await observer({ guards: [note(more)] }).look(progress, NOW)).guards;

  it("names the one that takes the release back, in this phase or in an earlier one", async () => {
    expect(await seen()).toBe("the guard of cluster-b says: slow");
    expect(await seen({}, phase(RELEASE, 30, NOW))).toBe("the guard of cluster-b says: slow");
  });

  it("leaves out what an update tries again in spite of it", async () => {
    const forgiven = [failureId(note())];
    const { guards } = await observer({ guards: [note()], forgiven }).look(running, NOW);
    expect(guards).toBeUndefined();
  });

  it("leaves out what is said of another release, or was before the canary was tried again", async () => {
    expect(await seen({ failed: undefined })).toBeUndefined();
    expect(await seen({ release: "v1" })).toBeUndefined();
    expect(await seen({}, phase(RELEASE, 10, T0 + 1))).toBeUndefined();
  });
});

describe("a look at a chain", () => {
  const RELEASED = releaseName(fixture(CHAIN));
  const chained = (weight: number, follower?: ReturnType<typeof v>) =>
    names.map((name) => deployedChain(name, v("v1", "v2", weight), follower));
  const at10 = phase(RELEASED, 10, T0);
  /** A Prometheus in which a part of the requests to the canary of one service fail. */
  const failing = (service: string): Metrics => ({
    query: (promql) => metricsWith(promql.includes(service) ? 100 : 0).query(promql),
  });
  /** What a rollout does next, and why. */
  const step = async (metrics: readonly Metrics[]) => {
    const seen = await observer({ ...CHAIN, metrics }).look(at10, NOW);
    return nextStep(at10, seen, PLAN, NOW).step;
  };

  beforeEach(() => {
    vi.mocked(readDeployed).mockResolvedValue(chained(10));
  });

  it("has the entry's weight alone: a follower without one makes no cluster differ", async () => {
    const { clusters } = await observer(CHAIN).look(at10, NOW);
    expect(clusters).toEqual(names.map((name) => ({ name, weights: [10] })));
    expect(await step([metricsWith(0), metricsWith(0)])).toEqual({ do: "raise", weight: 30 });
  });

  it("does not leave out a weight that somebody has given a follower", async () => {
    vi.mocked(readDeployed).mockResolvedValue(chained(10, v("v1", "v2", 50)));
    const { clusters } = await observer(CHAIN).look(at10, NOW);
    expect(clusters.map(({ weights }) => weights)).toEqual([
      [10, 50],
      [10, 50],
    ]);
  });

  it("judges a follower's answers, and the share of the entry alone", async () => {
    const { verdicts } = await observer(CHAIN).look(at10, NOW);
    const gates = (service: string) =>
      verdicts
        .filter((each) => "service" in each && each.service === service)
        .map((each) => "gate" in each && each.gate);
    expect(gates(KEY)).toEqual(names.flatMap(() => builtInGatesBut()));
    expect(gates(FOLLOWER)).toEqual(names.flatMap(() => builtInGatesBut("share")));
  });

  it("counts no more decisions than are made, or each would need more requests", async () => {
    const only = { gates: { without: builtInGatesBut("share") } };
    const chainOnly = observer({ ...CHAIN, rollout: only });
    const [alone] = (await observer({ rollout: only }).look(running, NOW)).verdicts;
    const [shared] = (await chainOnly.look(at10, NOW)).verdicts;
    expect(shared?.text).toBe(alone?.text);
  });

  it.each([KEY, FOLLOWER])(
    "rolls the whole release back where %s is bad in one cluster",
    async (key) => {
      const name = key.replace("user/", "");
      const found = await step([metricsWith(0), failing(`${name}.user.svc`)]);
      expect(found).toEqual({
        do: "roll-back",
        reason: expect.stringMatching(
          new RegExp(`^cluster-b: success rate of v2 of ${key}: 90\\.0 %[^;]*$`),
        ) as string,
      });
    },
  );

  it("holds the whole release while nobody knows how a follower does", async () => {
    const silent: Metrics = {
      query: (promql) =>
        promql.includes("order-service")
          ? Promise.reject(new Error("out of memory"))
          : metricsWith(0).query(promql),
    };
    expect(await step([metricsWith(0), silent])).toMatchObject({
      do: "wait",
      for: "no-data",
      reason: expect.stringContaining(`of v2 of ${FOLLOWER} is unknown: out of memory`) as string,
    });
  });
});

describe("gates in a dry run", () => {
  it("are measured and marked, and take no part of the risk of the others", async () => {
    const bad = () => [metricsWith(0), metricsWith(100)];
    const only = { without: builtInGatesBut("successRate") };
    const query = { name: "mine", bad: "bad", all: "all" };
    const textsOf = async (gates: object) => {
      const seen = await observer({ metrics: bad(), rollout: { gates } }).look(running, NOW);
      return seen.verdicts;
    };
    const dry = await textsOf({ dryRun: ["successRate"] });
    expect(dry.filter(({ dryRun }) => dryRun === true).map(({ outcome }) => outcome)).toEqual([
      "pass",
      "fail",
    ]);
    const sure = async (gates: object) => {
      const [first] = await textsOf(gates);
      return first && "judgement" in first ? first.judgement : undefined;
    };
    const alone = await sure(only);
    expect(alone).toBeDefined();
    expect(await sure({ ...only, queries: [query], dryRun: ["mine"] })).toEqual(alone);
    expect(await sure({ ...only, queries: [query] })).not.toEqual(alone);
  });

  it("do not keep a look from waiting for everybody's answer", async () => {
    const rollout = { gates: { dryRun: ["successRate"] } };
    const pause = { at: T0, paused: true, by: "ann@laptop" };
    const dry = observer({ metrics: [metricsWith(100), metricsWith(0)], rollout, pause });
    expect((await dry.look(running, NOW)).paused).toBeDefined();
  });
});

describe("a gate by an endpoint", () => {
  it("judges each cluster, also one without a Prometheus, and remembers what it has counted", async () => {
    const seen: string[] = [];
    let bad = 3;
    const server = createServer(({ url = "" }, response) => {
      seen.push(url);
      response.end(JSON.stringify({ bad: url.includes("/v2/") ? bad : 0, all: 2000 }));
    }).listen(0, "127.0.0.1");
    try {
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/{{cluster}}/{{version}}/{{since}}`;
      const gates = {
        web: [{ name: "checkout", url }],
        without: builtInGatesBut("successRate"),
      };
      const watched = observer({ metrics: [metricsWith(0)], rollout: { gates } });
      const outcomes = async () =>
        (await watched.verdicts(10, T0, NOW)).map(
          ({ gate, cluster, outcome, blind }) =>
            `${gate} in ${cluster}: ${blind ? "blind" : outcome}`,
        );
      expect(await outcomes()).toEqual([
        "successRate in cluster-a: pass",
        "checkout in cluster-a: pass",
        "checkout in cluster-b: pass",
      ]);
      const since = encodeURIComponent(new Date(T0 + 30_000).toISOString());
      expect(seen.sort()).toEqual(
        names.flatMap((name) => ["v1", "v2"].map((version) => `/${name}/${version}/${since}`)),
      );
      bad = 2;
      expect(await outcomes()).toContain("checkout in cluster-b: blind");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe("limits of one phase", () => {
  it("are those that its looks judge by", async () => {
    const rollout = { at: [{ weight: 30, gates: { successRate: { atLeast: 90, margin: 10 } } }] };
    const watched = observer({ metrics: [metricsWith(70), metricsWith(70)], rollout });
    const outcomesAt = async (weight: number) =>
      (await watched.verdicts(weight, T0, NOW))
        .filter(({ gate }) => gate === "successRate")
        .map(({ outcome }) => outcome);
    expect(await outcomesAt(10)).toEqual(["fail", "fail"]);
    expect(await outcomesAt(30)).toEqual(["pass", "pass"]);
  });
});

describe("little traffic", () => {
  /** A Prometheus of a cluster where so many requests of the canary are all that is missing. */
  const small = (trials: number) =>
    new FakeMetrics([
      hasSamples,
      ["istio_requests_total", [requests("v1", "200", 9 * trials), requests("v2", "200", trials)]],
    ]);
  const outcomesOf = async (pool: boolean, options: Options = {}) => {
    const gates = { pool, without: builtInGatesBut("successRate") };
    const metrics = [metricsWith(0), small(40)];
    const watched = observer({ ...options, metrics, rollout: { gates } });
    const found = await watched.verdicts(10, T0, NOW);
    return found.map(({ cluster, outcome }) => `${cluster}: ${outcome}`);
  };

  it("holds a cluster, or passes with the others where they are pooled", async () => {
    expect(await outcomesOf(false)).toEqual(["cluster-a: pass", "cluster-b: hold"]);
    expect(await outcomesOf(true)).toEqual(["cluster-a: pass", "cluster-b: pass"]);
  });

  it("is not pooled with a cluster in quarantine, which has another weight", async () => {
    for (const quarantine of [["cluster-a"], ["cluster-b"]]) {
      expect(await outcomesOf(true, { quarantine })).toContain("cluster-b: hold");
    }
  });
});

describe("pausedBy", () => {
  it("says who, when and why, and nothing after a resume", () => {
    const pause = { at: T0, paused: true, by: "ann@laptop", reason: "lunch" };
    expect(pausedBy(pause)).toBe("paused by ann@laptop at 2026-01-01T00:00:00.000Z: lunch");
    expect(pausedBy({ ...pause, paused: false })).toBeUndefined();
    expect(pausedBy(undefined)).toBeUndefined();
  });
});
