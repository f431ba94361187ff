import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { guard, type GuardEffects } from "../../../../release/guard/guard.ts";
import { GuardMetrics } from "../../../../release/guard/metrics.ts";
import type { GuardNote } from "../../../../release/journal.ts";
import { phase, type Progress, type Verdict } from "../../../../release/planner.ts";
import { guardFileText, parseGuardFile, type GuardFile } from "../../../../stacks/guard-file.ts";
import { settings } from "../../../helpers/fixtures.ts";

const T0 = Date.UTC(2026, 0, 1);
const fail: Verdict = { outcome: "fail", blind: false, text: "cluster-a: 80 %" };

const file = (more: Partial<GuardFile> = {}): GuardFile => ({
  ...parseGuardFile(
    guardFileText(settings({ clusters: 3 }), {
      stack: "prod",
      cluster: "cluster-a",
      configMap: { namespace: "guard", name: "release-guard" },
      prometheus: "http://prometheus:9090",
      partitionLimit: "10m",
    }),
  ),
  ...more,
});

/** Three clusters that guards of one stack look at. */
class Fleet {
  readonly weights: Record<string, number> = { "cluster-a": 10, "cluster-b": 10, "cluster-c": 10 };
  readonly notes: Record<string, Record<string, GuardNote>> = {};
  progress: Progress | undefined;
  /** Clusters that refuse, or that never answer. */
  readonly away = new Set<string>();
  readonly silent = new Set<string>();
  file: GuardFile | Error = file();
  verdicts: readonly Verdict[] | Error = [];
  judgedAt: { readonly weight: number; readonly since: number }[] = [];
  readonly lowered: string[] = [];
  readonly told: string[] = [];
  readonly notified: string[] = [];
  readonly metrics = new GuardMetrics();
  readonly #stop = new AbortController();
  readonly #end = Promise.withResolvers<never>();
  #ended: Promise<void> | undefined;

  async #reach<T>(cluster: string, value: () => T): Promise<T> {
    if (this.silent.has(cluster)) await this.#end.promise;
    return this.away.has(cluster)
      ? Promise.reject(new Error("no answer"))
      : Promise.resolve(value());
  }

  effects: GuardEffects = {
    file: () =>
      this.file instanceof Error ? Promise.reject(this.file) : Promise.resolve(this.file),
    look: (cluster) =>
      this.#reach(cluster, () => ({
        weight: this.weights[cluster],
        progress: this.progress,
        guards: Object.values(this.notes[cluster] ?? {}),
      })),
    verdicts: (_, at) => {
      this.judgedAt.push(at);
      return this.verdicts instanceof Error
        ? Promise.reject(this.verdicts)
        : Promise.resolve(this.verdicts);
    },
    lower: (cluster) =>
      this.#reach(cluster, () => {
        this.lowered.push(cluster);
        this.weights[cluster] = 0;
      }),
    note: (cluster, _, note) =>
      this.#reach(cluster, () => {
        (this.notes[cluster] ??= {})[note.cluster] = note;
      }),
    tell: (text) => this.told.push(text),
    notify: (_, { does, weight, reason }) => this.notified.push(`${does} ${weight} ${reason}`),
    looked: (...look) => {
      this.metrics.looked(...look);
    },
    judged: (verdicts) => {
      this.metrics.judged(verdicts);
    },
    now: () => Date.now(),
    pause: (ms, signal) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(done, ms);
        if (signal.aborted) done();
        signal.addEventListener("abort", done);
      }),
  };

  async start(): Promise<void> {
    this.#end.promise.catch(() => undefined);
    this.#ended = guard(this.effects, this.#stop.signal);
    await this.pass(0);
  }

  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#end.reject(new Error("no answer in time"));
    await this.pass(0);
    await this.#ended;
  }
}

let fleet: Fleet;
beforeEach(() => {
  vi.useFakeTimers({ now: T0 });
  fleet = new Fleet();
});
afterEach(() => {
  vi.useRealTimers();
});
const all = ["cluster-a", "cluster-b", "cluster-c"];

describe("a guard", () => {
  it("changes nothing while its gates pass, and tells in every cluster that it watches", async () => {
    await fleet.start();
    await fleet.pass(60_000);
    await fleet.stop();
    expect(fleet.lowered).toEqual([]);
    for (const cluster of all) {
      expect(fleet.notes[cluster]?.["cluster-a"]).toMatchObject({
        format: 1,
        cluster: "cluster-a",
        startedAt: T0,
        weight: 10,
        does: "watch",
        says: "no gate has failed",
      });
      expect(fleet.notes[cluster]?.["cluster-a"]?.at).toBeGreaterThanOrEqual(T0 + 30_000);
    }
  });

  it("asks its gates as often as a rollout looks, at the weight that the canary has", async () => {
    await fleet.start();
    await fleet.pass(61_000);
    await fleet.stop();
    expect(fleet.judgedAt).toEqual(Array(3).fill({ weight: 10, since: T0 }));
  });

  it("asks no gate while the canary has no weight", async () => {
    for (const cluster of all) fleet.weights[cluster] = 0;
    await fleet.start();
    await fleet.pass(61_000);
    await fleet.stop();
    expect(fleet.judgedAt).toEqual([]);
  });

  it("lowers all clusters at once when a gate of its own fails, and writes why", async () => {
    await fleet.start();
    fleet.verdicts = [fail];
    await fleet.pass(30_000);
    expect(fleet.weights).toEqual({ "cluster-a": 0, "cluster-b": 0, "cluster-c": 0 });
    await fleet.pass(5_000);
    await fleet.stop();
    for (const cluster of all) {
      expect(fleet.notes[cluster]?.["cluster-a"]).toMatchObject({
        does: "lower",
        says: fail.text,
        failed: { reason: fail.text, weight: 10 },
      });
    }
    expect(fleet.told).toContain(
      "cluster-b was lowered from 10 % to 0 %, as read back from its API server: cluster-a: 80 %",
    );
  });

  it("lowers again whenever somebody writes a weight of the same release, and never raises", async () => {
    await fleet.start();
    fleet.verdicts = [fail];
    await fleet.pass(30_000);
    fleet.verdicts = [];
    for (const weight of [10, 30, 100]) {
      fleet.weights["cluster-b"] = weight;
      await fleet.pass(6_000);
      expect(fleet.weights["cluster-b"]).toBe(0);
    }
    await fleet.pass(60_000);
    await fleet.stop();
    expect(Object.values(fleet.weights)).toEqual([0, 0, 0]);
    expect(fleet.lowered).toEqual([...all, "cluster-b", "cluster-b", "cluster-b"]);
  });

  it("tries without end, and a cluster that does not answer holds no other up", async () => {
    await fleet.start();
    fleet.silent.add("cluster-c");
    fleet.away.add("cluster-b");
    await fleet.pass(6_000);
    fleet.verdicts = [fail];
    await fleet.pass(30_000);
    expect(fleet.weights).toEqual({ "cluster-a": 0, "cluster-b": 10, "cluster-c": 10 });
    await fleet.pass(3_600_000);
    fleet.away.clear();
    await fleet.pass(6_000);
    await fleet.stop();
    expect(fleet.weights).toEqual({ "cluster-a": 0, "cluster-b": 0, "cluster-c": 10 });
  });

  it("lowers when another cluster's guard has failed, which it may hear of anywhere", async () => {
    await fleet.start();
    const theirs = fleet.notes["cluster-a"]?.["cluster-a"];
    if (!theirs) throw new Error("it has written nothing");
    const failed = { reason: "slow", weight: 10, since: T0, at: T0 };
    fleet.notes["cluster-c"] = { "cluster-b": { ...theirs, cluster: "cluster-b", failed } };
    await fleet.pass(11_000);
    await fleet.stop();
    expect(Object.values(fleet.weights)).toEqual([0, 0, 0]);
    expect(fleet.told.join("\n")).toContain("lower: the guard of cluster-b says: slow");
  });

  it("goes on with what it has decided when it is killed and starts anew", async () => {
    fleet.verdicts = [fail];
    await fleet.start();
    await fleet.pass(6_000);
    await fleet.stop();
    const next = new Fleet();
    Object.assign(next.notes, fleet.notes);
    await next.start();
    await next.pass(1_000);
    await next.stop();
    expect(Object.values(next.weights)).toEqual([0, 0, 0]);
  });

  it("does not lower the next release for what the last one has failed", async () => {
    await fleet.start();
    fleet.verdicts = [fail];
    await fleet.pass(30_000);
    fleet.file = file({ release: "user/user-service v3 (image:v3)" });
    fleet.verdicts = [];
    for (const cluster of all) fleet.weights[cluster] = 10;
    await fleet.pass(60_000);
    await fleet.stop();
    expect(Object.values(fleet.weights)).toEqual([10, 10, 10]);
    expect(fleet.lowered).toEqual(all);
    expect(fleet.notes["cluster-b"]?.["cluster-a"]).toMatchObject({ does: "watch" });
    expect(fleet.notes["cluster-b"]?.["cluster-a"]?.failed).toBeUndefined();
  });

  it("looks for another release right before it lowers", async () => {
    await fleet.start();
    fleet.verdicts = [fail];
    // Within the pause, before it has heard of the new one.
    await fleet.pass(29_999);
    fleet.file = file({ release: "v3" });
    await fleet.pass(1);
    expect(fleet.lowered).toEqual([]);
    await fleet.stop();
  });

  it("lets a rollout try the same canary again", async () => {
    fleet.verdicts = [fail];
    await fleet.start();
    await fleet.pass(6_000);
    expect(Object.values(fleet.weights)).toEqual([0, 0, 0]);
    fleet.verdicts = [];
    fleet.progress = phase(file().release, 0, Date.now());
    await fleet.pass(6_000);
    for (const cluster of all) fleet.weights[cluster] = 10;
    fleet.progress = phase(file().release, 10, Date.now());
    await fleet.pass(60_000);
    await fleet.stop();
    expect(Object.values(fleet.weights)).toEqual([10, 10, 10]);
  });

  it("changes nothing while one API server is away for a minute, and says so", async () => {
    await fleet.start();
    fleet.away.add("cluster-b");
    await fleet.pass(60_000);
    expect(fleet.notes["cluster-a"]?.["cluster-a"]).toMatchObject({
      does: "hold",
      says: "no answer from cluster-b",
    });
    fleet.away.clear();
    await fleet.pass(40_000);
    await fleet.stop();
    expect(fleet.lowered).toEqual([]);
    expect(fleet.told).toContain("cluster-b answers again");
    expect(fleet.notes["cluster-b"]?.["cluster-a"]).toMatchObject({ does: "watch" });
  });

  it("lowers its own side alone after the limit when it is cut off", async () => {
    await fleet.start();
    fleet.away.add("cluster-b").add("cluster-c");
    await fleet.pass(9 * 60_000);
    expect(fleet.lowered).toEqual([]);
    await fleet.pass(90_000);
    expect(fleet.lowered).toEqual(["cluster-a"]);
    fleet.away.clear();
    await fleet.pass(60_000);
    await fleet.stop();
    expect(fleet.weights).toEqual({ "cluster-a": 0, "cluster-b": 10, "cluster-c": 10 });
  });

  it("holds when its gates cannot be asked, and when its file is none that it knows", async () => {
    fleet.verdicts = new Error("no route to Prometheus");
    await fleet.start();
    await fleet.pass(6_000);
    expect(fleet.notes["cluster-b"]?.["cluster-a"]).toMatchObject({
      does: "hold",
      says: "the gates are unknown: no route to Prometheus",
    });
    fleet.file = new Error("not JSON");
    fleet.verdicts = [fail];
    await fleet.pass(60_000);
    expect(fleet.told.filter((text) => text.includes("not JSON"))).toEqual([
      "hold: it is not known what to guard: not JSON",
    ]);
    fleet.file = file();
    await fleet.pass(11_000);
    expect(Object.values(fleet.weights)).toEqual([0, 0, 0]);
    await fleet.stop();
  });

  it("says once each what is wrong", async () => {
    await fleet.start();
    fleet.away.add("cluster-b");
    await fleet.pass(120_000);
    await fleet.stop();
    expect(fleet.told.filter((text) => text.startsWith("cluster-b"))).toEqual([
      "cluster-b does not answer: no answer",
    ]);
  });

  it("notifies once of what its own gates have found, and not of what others have", async () => {
    await fleet.start();
    fleet.verdicts = [fail];
    await fleet.pass(120_000);
    await fleet.stop();
    expect(fleet.notified).toEqual([`lower 10 ${fail.text}`]);
    const next = new Fleet();
    Object.assign(next.notes, fleet.notes);
    await next.start();
    await next.pass(60_000);
    await next.stop();
    expect(next.lowered).toEqual(all);
    expect(next.notified).toEqual([]);
  });

  it("notifies that it is cut off after a minute, and again when it lowers for it", async () => {
    await fleet.start();
    fleet.away.add("cluster-b").add("cluster-c");
    await fleet.pass(50_000);
    expect(fleet.notified).toEqual([]);
    await fleet.pass(120_000);
    expect(fleet.notified).toEqual([
      expect.stringMatching(
        /^hold 10 no other cluster has answered since .*: cluster-b, cluster-c$/,
      ),
    ]);
    await fleet.pass(600_000);
    await fleet.stop();
    expect(fleet.notified.slice(1)).toEqual([
      expect.stringMatching(/^lower 10 no other cluster has answered since /),
    ]);
  });

  it("counts every look at the clusters and at its gates", async () => {
    await fleet.start();
    await fleet.pass(61_000);
    const text = await fleet.metrics.text();
    await fleet.stop();
    expect(text).toContain('istio_canary_guard_gate_looks_total{outcome="pass"} 3');
    expect(text).toMatch(
      new RegExp(
        `^istio_canary_guard_last_look_timestamp_seconds{guard="cluster-a",.*} ${(T0 + 60_000) / 1_000}$`,
        "m",
      ),
    );
  });

  it("does not count looks at gates while the canary has no weight", async () => {
    for (const cluster of all) fleet.weights[cluster] = 0;
    await fleet.start();
    await fleet.pass(61_000);
    const text = await fleet.metrics.text();
    await fleet.stop();
    expect(text).toContain('istio_canary_guard_gate_looks_total{outcome="pass"} 0');
    expect(text).toContain('istio_canary_guard_state{state="watch"} 1');
  });
});
