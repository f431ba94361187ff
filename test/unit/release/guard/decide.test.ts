import { describe, expect, it } from "vitest";
import {
  actionOf,
  judged,
  remembered,
  type GuardMemory,
  type GuardRules,
  type Sight,
  type Sights,
} from "../../../../release/guard/decide.ts";
import { failureId, type GuardNote } from "../../../../lib/journal.ts";
import { phase, type Progress, type Verdict } from "../../../../release/planner.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const RELEASE = "user/user-service v2 (image:v2)";

const rules: GuardRules = {
  cluster: "cluster-a",
  quarantined: false,
  others: ["cluster-b", "cluster-c"],
  release: RELEASE,
  maxFailures: { consecutive: 0, total: 0 },
  partitionLimitMs: 10 * MINUTE,
};
const memory: GuardMemory = {
  release: RELEASE,
  weight: 10,
  since: T0,
  failures: { consecutive: 0, total: 0 },
  failed: undefined,
  contactAt: T0,
};
const failed = { reason: "cluster-a: 80 %", weight: 10, since: T0, at: T0 };
const note = (cluster: string, more: Partial<GuardNote> = {}): GuardNote => ({
  ...memory,
  format: 1,
  at: T0,
  cluster,
  startedAt: T0,
  does: "watch",
  says: "",
  ...more,
});
const fail: Verdict = { outcome: "fail", blind: false, text: "cluster-a: 80 %" };
const pass: Verdict = { outcome: "pass", blind: false, text: "good" };
const blind: Verdict = { outcome: "hold", blind: true, text: "no answer of Prometheus" };

/** All three clusters at 10 % with nothing in their journals, but for what is said. */
function sights(more: Readonly<Record<string, Partial<Sight>>> = {}): Sights {
  return new Map(
    ["cluster-a", "cluster-b", "cluster-c"].map((name) => [
      name,
      { answers: true, weight: 10, guards: [], ...more[name] },
    ]),
  );
}
const everywhere = (sight: Partial<Sight>) =>
  sights({ "cluster-a": sight, "cluster-b": sight, "cluster-c": sight });
const rollout = (progress: Progress) => everywhere({ progress });
const away = { answers: false };
const act = (
  seen: Sights,
  {
    of = memory,
    verdicts = [],
    now = T0,
    by = rules,
  }: { of?: GuardMemory; verdicts?: readonly Verdict[]; now?: number; by?: GuardRules } = {},
) => actionOf(of, by, seen, verdicts, now);

describe("what a guard remembers", () => {
  it("begins when it first sees the weight, if no rollout has begun it", () => {
    expect(remembered(undefined, rules, sights(), T0 + 5)).toEqual({
      ...memory,
      since: T0 + 5,
      contactAt: T0 + 5,
    });
    expect(remembered(memory, rules, sights(), T0 + MINUTE).since).toBe(T0);
  });

  it("begins with the rollout's phase, and another phase begins without failed looks", () => {
    const before = { ...memory, failures: { consecutive: 1, total: 2 } };
    const same = rollout(phase(RELEASE, 10, T0));
    expect(remembered(before, rules, same, T0 + MINUTE)).toMatchObject({
      since: T0,
      failures: { consecutive: 1, total: 2 },
    });
    const next = everywhere({ weight: 30, progress: phase(RELEASE, 30, T0 + MINUTE) });
    expect(remembered(before, rules, next, T0 + 2 * MINUTE)).toMatchObject({
      weight: 30,
      since: T0 + MINUTE,
      failures: { consecutive: 0, total: 0 },
    });
  });

  it.each([
    ["of another release", phase("v9", 10, T0 + 1)],
    ["at another weight", phase(RELEASE, 30, T0 + 1)],
    ["that has ended", { ...phase(RELEASE, 10, T0 + 1), end: { result: "done", reason: "" } }],
  ] as const)("does not take the time of a phase %s", (_, progress) => {
    expect(remembered(memory, rules, rollout(progress), T0 + MINUTE).since).toBe(T0);
  });

  it("keeps the weight of a cluster that does not answer", () => {
    const silent = { ...away, weight: undefined };
    const none = everywhere(silent);
    expect(remembered(memory, rules, none, T0 + 1)).toMatchObject({ weight: 10, since: T0 });
    const known = sights({ "cluster-a": { ...away, weight: 30 } });
    expect(remembered(memory, rules, known, T0 + 1).weight).toBe(30);
    // One that has never answered has what the others have.
    expect(remembered(undefined, rules, sights({ "cluster-a": silent }), T0).weight).toBe(10);
  });

  it("judges a cluster in quarantine at the weight of the others", () => {
    const seen = sights({ "cluster-a": { weight: 0 }, "cluster-c": { weight: 30 } });
    expect(remembered(undefined, { ...rules, quarantined: true }, seen, T0).weight).toBe(30);
    expect(remembered(undefined, rules, seen, T0).weight).toBe(0);
  });

  it("forgets what another release has failed, and keeps what this one has", () => {
    const before = { ...memory, failed, failures: { consecutive: 1, total: 1 } };
    const next = remembered(before, { ...rules, release: "v3" }, sights(), T0 + 1);
    expect(next).toMatchObject({ release: "v3", failed: undefined });
    expect(next.failures.total).toBe(0);
    expect(remembered(before, rules, everywhere({ weight: 0 }), T0 + 1).failed).toEqual(failed);
  });

  it("forgets what has failed once a new rollout of the same canary has begun", () => {
    const before = { ...memory, failed };
    for (const weight of [0, 10]) {
      const again = everywhere({ weight, progress: phase(RELEASE, weight, T0 + 1) });
      expect(remembered(before, rules, again, T0 + 2).failed).toBeUndefined();
    }
  });

  it.each([
    ["the same phase", phase(RELEASE, 10, T0)],
    ["an earlier phase", phase(RELEASE, 10, T0 - 1)],
    ["a raise that was under way", phase(RELEASE, 30, T0 + 1)],
    ["another release", phase("v9", 0, T0 + 1)],
    [
      "the end of the rollout",
      { ...phase(RELEASE, 0, T0 + 1), end: { result: "rolled-back", reason: "" } },
    ],
    ["the way back", { ...phase(RELEASE, 10, T0 + 1), rollingBack: "bad" }],
  ] as const)("is not made to forget by %s", (_, progress) => {
    expect(remembered({ ...memory, failed }, rules, rollout(progress), T0 + 2).failed).toEqual(
      failed,
    );
  });

  it("forgets what an update tries again in spite of it, and counts the next failure", () => {
    const before = { ...memory, weight: 0, failed };
    const seen = sights({ "cluster-c": { forgiven: [failureId(note("cluster-a", { failed }))] } });
    const after = remembered(before, rules, seen, T0 + 9);
    expect(after).toMatchObject({ failed: undefined, since: T0 + 9 });
    const next = judged(after, [fail], rules, T0 + 10);
    expect(remembered(next, rules, seen, T0 + 11).failed).toMatchObject({ at: T0 + 10 });
    const others = sights({
      "cluster-c": { forgiven: [failureId(note("cluster-b", { failed }))] },
    });
    expect(remembered(before, rules, others, T0 + 9).failed).toEqual(failed);
  });

  it("knows when it last reached another cluster while something was at stake", () => {
    const alone = sights({ "cluster-b": away, "cluster-c": away });
    expect(remembered(memory, rules, sights(), T0 + 9).contactAt).toBe(T0 + 9);
    expect(remembered(memory, rules, alone, T0 + 9).contactAt).toBe(T0);
    const one = sights({ "cluster-b": away });
    expect(remembered(memory, rules, one, T0 + 9).contactAt).toBe(T0 + 9);
    const safe = sights({ "cluster-a": { weight: 0 }, "cluster-b": away, "cluster-c": away });
    expect(remembered(memory, rules, safe, T0 + 9).contactAt).toBe(T0 + 9);
  });
});

describe("a look at the gates", () => {
  it("fails the release, and says why", () => {
    const bad = [pass, fail, { ...fail, text: "slow" }];
    expect(judged(memory, bad, rules, T0 + 7).failed).toEqual({
      reason: "cluster-a: 80 %; slow",
      weight: 10,
      since: T0,
      at: T0 + 7,
    });
  });

  it("may fail as often as the configuration says", () => {
    const lenient = { maxFailures: { consecutive: 1, total: 2 } };
    const one = judged(memory, [fail], lenient, T0);
    expect(one).toMatchObject({ failures: { consecutive: 1, total: 1 }, failed: undefined });
    expect(judged(one, [fail], lenient, T0).failed).toBeDefined();
    const calm = judged(one, [pass], lenient, T0);
    expect(calm.failures).toEqual({ consecutive: 0, total: 1 });
    const two = judged(calm, [fail], lenient, T0);
    expect(two.failed).toBeUndefined();
    expect(judged(judged(two, [pass], lenient, T0), [fail], lenient, T0).failed).toBeDefined();
  });

  it.each([[pass], [blind], [{ ...fail, dryRun: true }], [{ ...fail, outcome: "idle" as const }]])(
    "does not fail by %o",
    (verdict) => {
      expect(judged(memory, [verdict], rules, T0).failed).toBeUndefined();
    },
  );

  it("keeps what has failed first", () => {
    const before = { ...memory, failed };
    expect(judged(before, [{ ...fail, text: "worse" }], rules, T0 + 1).failed).toEqual(failed);
    expect(judged(before, [pass], rules, T0).failed).toEqual(failed);
  });
});

describe("a guard", () => {
  it("watches while no gate has failed", () => {
    expect(act(sights(), { verdicts: [pass] })).toEqual({
      do: "watch",
      reason: "no gate has failed",
    });
    expect(act(sights(), { of: { ...memory, weight: 0 } }).reason).toBe("the canary has no weight");
  });

  it("lowers everywhere once its own gates have failed, whoever is away", () => {
    const lower = { do: "lower", reason: failed.reason };
    const of = { ...memory, failed };
    expect(act(sights(), { of })).toEqual(lower);
    expect(act(sights({ "cluster-b": away, "cluster-c": away }), { of })).toEqual(lower);
    expect(act(sights({ "cluster-a": away }), { of })).toEqual(lower);
  });

  it("lowers everywhere once another cluster's guard says that a gate has failed", () => {
    const seen = sights({ "cluster-c": { guards: [note("cluster-b", { failed })] } });
    expect(act(seen)).toEqual({
      do: "lower",
      reason: "the guard of cluster-b says: cluster-a: 80 %",
    });
  });

  it("hears of it from a journal that it has read before the cluster went away", () => {
    const seen = sights({ "cluster-b": { ...away, guards: [note("cluster-b", { failed })] } });
    expect(act(seen).do).toBe("lower");
  });

  it("does nothing for what a guard says of another release", () => {
    const other = note("cluster-b", { release: "v1", failed });
    expect(act(everywhere({ guards: [other] })).do).toBe("watch");
  });

  it("does nothing for what failed before the canary was tried again", () => {
    const guards = [note("cluster-b", { failed })];
    expect(act(everywhere({ guards, progress: phase(RELEASE, 10, T0) })).do).toBe("lower");
    expect(act(everywhere({ guards, progress: phase(RELEASE, 30, T0 + 1) })).do).toBe("lower");
    expect(act(everywhere({ guards, progress: phase(RELEASE, 0, T0 + 1) })).do).toBe("watch");
  });

  it("does nothing for what an update tries again in spite of it", () => {
    const guards = [note("cluster-b", { failed })];
    const forgiven = guards.map(failureId);
    expect(act(sights({ "cluster-b": { guards }, "cluster-c": { forgiven } })).do).toBe("watch");
    const again = [note("cluster-b", { failed: { ...failed, at: T0 + 1 } })];
    expect(act(everywhere({ guards: again, forgiven })).do).toBe("lower");
  });

  it("does not take its own note for another guard's", () => {
    expect(act(everywhere({ guards: [note("cluster-a", { failed })] })).do).toBe("watch");
  });

  it("finishes what a rollout has begun to roll back, even if only one cluster has heard of it", () => {
    const progress = phase(RELEASE, 10, T0);
    const seen = sights({
      "cluster-a": { progress },
      "cluster-b": { progress: { ...progress, rollingBack: "95 %" } },
    });
    expect(act(seen)).toMatchObject({ do: "lower", reason: "a rollout rolls it back: 95 %" });
    const other = rollout({ ...phase("v9", 10, T0), rollingBack: "95 %" });
    expect(act(other).do).toBe("watch");
    const ended = {
      ...phase(RELEASE, 0, T0 + 1),
      end: { result: "rolled-back" as const, reason: "95 %" },
    };
    const late = sights({
      "cluster-a": { progress: ended },
      "cluster-b": { progress: { ...progress, rollingBack: "95 %" } },
    });
    expect(act(late).do).toBe("watch");
  });

  it("holds without data, and says so", () => {
    expect(act(sights(), { verdicts: [pass, blind] })).toEqual({ do: "hold", reason: blind.text });
    expect(act(sights(), { verdicts: [{ ...blind, dryRun: true }] }).do).toBe("watch");
  });

  it("holds while looks may fail, and counts them", () => {
    const of = { ...memory, failures: { consecutive: 1, total: 2 } };
    expect(act(sights(), { of, verdicts: [fail] })).toEqual({
      do: "hold",
      reason: "1 looks in a row have failed, 2 in this phase: cluster-a: 80 %",
    });
  });

  it("holds while one cluster is away, its own or another, for however long", () => {
    for (const name of ["cluster-a", "cluster-b"]) {
      const action = act(sights({ [name]: away }), { now: T0 + 600 * MINUTE });
      expect(action).toMatchObject({
        do: "hold",
        reason: expect.stringContaining(name) as unknown,
      });
    }
  });

  const alone = sights({ "cluster-b": away, "cluster-c": away });
  it("holds when it is cut off, until the limit, and then lowers its own side", () => {
    const reason =
      "no other cluster has answered since 2026-01-01T00:00:00.000Z: cluster-b, cluster-c";
    expect(act(alone, { now: T0 + 10 * MINUTE - 1 })).toEqual({ do: "hold", reason, cutOff: true });
    expect(act(alone, { now: T0 + 10 * MINUTE })).toEqual({ do: "lower", reason, cutOff: true });
  });

  it("holds for ever when it is cut off, if it is told to", () => {
    const by = { ...rules, partitionLimitMs: Number.POSITIVE_INFINITY };
    expect(act(alone, { by, now: T0 + 1e6 * MINUTE }).do).toBe("hold");
  });

  it("has nothing to lower when it is cut off without a weight", () => {
    const safe = sights({ "cluster-a": { weight: 0 }, "cluster-b": away, "cluster-c": away });
    expect(act(safe, { now: T0 + 600 * MINUTE }).do).toBe("hold");
    // The same words at every look: they are told when they change.
    expect(act(safe, { of: { ...memory, weight: 0 } })).toEqual({
      do: "hold",
      reason: "no other cluster answers: cluster-b, cluster-c",
    });
  });

  it("is not cut off where there is no other cluster", () => {
    const single = new Map([["cluster-a", { answers: true, weight: 10, guards: [] }]]);
    expect(act(single, { by: { ...rules, others: [] }, now: T0 + 600 * MINUTE }).do).toBe("watch");
  });
});
