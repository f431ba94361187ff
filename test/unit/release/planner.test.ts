import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  nextStep,
  phase,
  type Look,
  type RolloutPlan,
  type Progress,
  type Verdict,
} from "../../../release/planner.ts";
import { rolloutPlan } from "../../helpers/rollout-plan.ts";

const RELEASE = "user/user-service v2";
const MINUTE = 60_000;
const T0 = Date.UTC(2026, 0, 1);

const plan = rolloutPlan();
const pass: Verdict = { outcome: "pass", blind: false, text: "all well" };
const fail: Verdict = {
  outcome: "fail",
  blind: false,
  text: "cluster-b: success rate 95 % of 300 requests, at least 99 %",
};
const few: Verdict = { outcome: "hold", blind: false, text: "cluster-a: 3 of 100 requests" };
const dark: Verdict = { outcome: "hold", blind: true, text: "cluster-a: Prometheus is silent" };

function look(weight: number, more: Partial<Look> = {}): Look {
  return {
    release: RELEASE,
    clusters: ["cluster-a", "cluster-b"].map((name) => ({ name, weights: [weight] })),
    verdicts: weight === 0 ? [] : [pass],
    ...more,
  };
}

/** The step some time after the phase of `weight` has begun. */
function stepAt(weight: number, minutes: number, more: Partial<Look> = {}, of: RolloutPlan = plan) {
  const begun = weight > 0 || !of.asks.before;
  const progress = phase(RELEASE, weight, T0, begun);
  return nextStep(progress, look(weight, more), of, T0 + minutes * MINUTE);
}

describe("a dry run", () => {
  const dry = (verdict: Verdict): Verdict => ({ ...verdict, dryRun: true });

  it.each([fail, few, dark])("neither fails nor holds a phase: $text", (verdict) => {
    const verdicts = [pass, dry(verdict)];
    expect(stepAt(10, 10, { verdicts }).step).toEqual({ do: "raise", weight: 30 });
    expect(stepAt(10, 90, { verdicts }).progress.blindSince).toBeUndefined();
  });

  it("does not pass one either", () => {
    expect(stepAt(10, 10, { verdicts: [few, dry(pass)] }).step).toMatchObject({ for: "samples" });
  });
});

describe("an idle cluster", () => {
  const idle: Verdict = { outcome: "idle", blind: false, text: "cluster-b: idle" };

  it("neither fails nor holds a phase that another one passes, however long it is idle", () => {
    const verdicts = [pass, idle];
    expect(stepAt(10, 10, { verdicts }).step).toEqual({ do: "raise", weight: 30 });
    expect(stepAt(10, 90, { verdicts }).step).toEqual({ do: "raise", weight: 30 });
    expect(stepAt(10, 90, { verdicts }).progress.blindSince).toBeUndefined();
    expect(stepAt(10, 10, { verdicts: [few, idle] }).step).toMatchObject({ for: "samples" });
  });
});

describe("a service that somebody has removed from a cluster", () => {
  const clusters = [
    { name: "cluster-a", weights: [10] },
    { name: "cluster-b", weights: [], lacks: "user/user-service" },
  ];

  it("takes the others back, and is named", () => {
    expect(stepAt(10, 1, { clusters }).step).toEqual({
      do: "roll-back",
      reason: "cluster-b does not have user/user-service: it needs pulumi up",
    });
  });

  it("ends a rollout that has raised nothing yet", () => {
    const none = clusters.map((each) => ({ ...each, weights: [] }));
    expect(stepAt(0, 1, { clusters: none }).step).toMatchObject({ end: { result: "stopped" } });
  });
});

describe("a good release", () => {
  it("goes through all phases, each for its bake time", () => {
    const seen: string[] = [];
    let weight = 0;
    let progress: Progress | undefined;
    for (let now = T0; seen.at(-1) !== "end"; now += MINUTE) {
      const next = nextStep(progress, look(weight), plan, now);
      ({ progress } = next);
      if (next.step.do === "raise") {
        ({ weight } = next.step);
        progress = phase(RELEASE, weight, now);
        seen.push(`${(now - T0) / MINUTE} min: ${weight} %`);
      } else if (next.step.do !== "wait") {
        seen.push(next.step.do);
        expect(next.step).toMatchObject({ end: { result: "done" } });
      }
    }
    expect(seen).toEqual(["0 min: 10 %", "10 min: 30 %", "20 min: 100 %", "end"]);
  });

  it("is judged at weight 0 first where a trial is wanted", () => {
    const trial = { ...plan, trialMs: 5 * MINUTE };
    expect(stepAt(0, 4, { verdicts: [pass] }, trial).step).toMatchObject({
      do: "wait",
      for: "bake",
    });
    expect(stepAt(0, 5, { verdicts: [pass] }, trial).step).toEqual({ do: "raise", weight: 10 });
    expect(stepAt(0, 1, { verdicts: [fail] }, trial).step.do).toBe("roll-back");
  });
});

describe("a bad gate in one cluster", () => {
  it("rolls back at once, and says what was seen", () => {
    const { step } = stepAt(10, 1, { verdicts: [pass, fail] });
    expect(step).toEqual({ do: "roll-back", reason: fail.text });
  });

  it("remembers which services have failed, and leaves to guards what they have found", () => {
    const cart = { ...fail, service: "shop/cart" };
    const blamed = (more: Partial<Look>) => stepAt(10, 1, more).progress.failedServices;
    expect(blamed({ verdicts: [cart, cart] })).toEqual(["shop/cart"]);
    expect(blamed({ verdicts: [cart, fail] })).toBeUndefined();
    expect(blamed({ guards: "slow" })).toEqual([]);
  });

  it("rolls back while the rollout is paused, or waits for approval", () => {
    const more = { verdicts: [fail], paused: "paused by ann" };
    expect(stepAt(10, 1, more, { ...plan, approval: [30] }).step.do).toBe("roll-back");
  });

  it.each([
    { consecutive: 1, total: 9, steps: ["wait", "roll-back"] },
    { consecutive: 9, total: 1, steps: ["wait", "roll-back"] },
    { consecutive: 2, total: 2, steps: ["wait", "wait", "roll-back"] },
  ])("may fail $consecutive in a row and $total in all", ({ steps, ...maxFailures }) => {
    let progress = phase(RELEASE, 10, T0);
    for (const [i, expected] of steps.entries()) {
      const next = nextStep(
        progress,
        look(10, { verdicts: [fail] }),
        { ...plan, maxFailures },
        T0 + (20 + i) * MINUTE,
      );
      expect(next.step.do).toBe(expected);
      ({ progress } = next);
    }
  });

  it("counts failures in a row from zero after a good look, and all of them for the phase", () => {
    const lenient = { ...plan, maxFailures: { consecutive: 1, total: 2 } };
    const steps: string[] = [];
    let progress = phase(RELEASE, 10, T0);
    for (const verdict of [fail, pass, fail, pass, fail]) {
      const next = nextStep(progress, look(10, { verdicts: [verdict] }), lenient, T0 + MINUTE);
      steps.push(next.step.do);
      ({ progress } = next);
    }
    expect(steps).toEqual(["wait", "wait", "wait", "wait", "roll-back"]);
  });
});

describe("without data", () => {
  it("lasts as long as it is configured for its weight", () => {
    const longer: RolloutPlan = { ...plan, bakesMs: new Map([[30, 60 * MINUTE]]) };
    expect(stepAt(10, 10, {}, longer).step).toEqual({ do: "raise", weight: 30 });
    expect(stepAt(30, 59, {}, longer).step).toMatchObject({ do: "wait", for: "bake" });
    expect(stepAt(30, 60, {}, longer).step).toEqual({ do: "raise", weight: 100 });
  });

  it("is held beyond the bake time while there are too few requests, and then rolled back", () => {
    expect(stepAt(10, 39, { verdicts: [few] }).step).toEqual({
      do: "wait",
      for: "samples",
      reason: few.text,
    });
    expect(stepAt(10, 40, { verdicts: [few] }).step).toEqual({
      do: "roll-back",
      reason: `too few requests: ${few.text}`,
    });
  });

  it("is held while a Prometheus is silent, and rolled back when that lasts", () => {
    const first = stepAt(10, 1, { verdicts: [pass, dark] });
    expect(first.step).toMatchObject({ do: "wait", for: "no-data", reason: dark.text });
    const at = (minutes: number, verdict: Verdict) =>
      nextStep(first.progress, look(10, { verdicts: [verdict] }), plan, T0 + minutes * MINUTE);
    expect(at(30, dark).step.do).toBe("wait");
    expect(at(31, dark).step).toEqual({
      do: "roll-back",
      reason: `no data for 30 minutes: ${dark.text}`,
    });
    expect(at(31, pass).step.do).toBe("raise");
    expect(at(31, pass).progress.blindSince).toBeUndefined();
  });
});

describe("clusters that are not as they should be", () => {
  const cut = [
    { name: "cluster-a", weights: [10] },
    { name: "cluster-b", weights: [], unreachable: "no answer in time" },
  ];

  const gone = cut.map(({ name }) => ({ name, weights: [], unreachable: "fetch failed" }));

  it("holds while one is cut off, and rolls back after the limit, whoever has paused", () => {
    const at = (minutes: number, before: Progress, clusters: Look["clusters"] = cut) =>
      nextStep(
        before,
        look(10, { clusters, paused: "paused by ann" }),
        plan,
        T0 + minutes * MINUTE,
      );
    const first = at(1, phase(RELEASE, 10, T0));
    expect(first.step).toEqual({
      do: "wait",
      for: "unreachable",
      reason: "cluster-b cannot be reached: no answer in time",
    });
    expect(at(5.9, first.progress).step).toMatchObject({ for: "unreachable" });
    expect(at(6, first.progress).step).toEqual({
      do: "roll-back",
      reason: "cluster-b cannot be reached: no answer in time",
    });
    const back = at(5.9, first.progress, look(10).clusters);
    expect(back.step).toMatchObject({ for: "bake" });
    expect(at(7, back.progress).step).toMatchObject({ for: "unreachable" });
  });

  it("rolls a bad canary back at once while one is cut off", () => {
    expect(stepAt(10, 1, { clusters: cut, verdicts: [fail] }).step).toMatchObject({
      do: "roll-back",
      reason: fail.text,
    });
  });

  it("takes silence of all of them for no lowered weight", () => {
    const { step, progress } = stepAt(30, 1, { clusters: gone, verdicts: [pass] });
    expect(step).toMatchObject({ do: "wait", for: "unreachable" });
    expect(progress.weight).toBe(30);
    expect(nextStep(progress, look(30), plan, T0 + 10 * MINUTE).step).toMatchObject({
      do: "raise",
      weight: 100,
    });
  });

  it("does not begin while one is cut off, asks nobody, and ends after the limit", () => {
    const clusters = cut.map((each) => ({ ...each, weights: each.weights.map(() => 0) }));
    const asking = { ...plan, asks: { before: true, confirm: false } };
    const { step, progress } = stepAt(0, 0, { clusters }, asking);
    expect(step).toMatchObject({ do: "wait", for: "unreachable" });
    expect(nextStep(progress, look(0, { clusters }), asking, T0 + 5 * MINUTE).step).toMatchObject({
      do: "end",
      end: { result: "stopped" },
    });
  });

  it("rolls back when they serve different weights", () => {
    const clusters = [
      { name: "cluster-a", weights: [10, 10] },
      { name: "cluster-b", weights: [10, 0] },
    ];
    expect(stepAt(10, 1, { clusters }).step).toEqual({
      do: "roll-back",
      reason: "the clusters differ: 10 % and 10 % in cluster-a, 10 % and 0 % in cluster-b",
    });
  });

  it("finishes a rollback that was cut short, whatever the clusters serve", () => {
    const progress = { ...phase(RELEASE, 30, T0), rollingBack: fail.text };
    for (const weight of [0, 10, 30, 100]) {
      expect(nextStep(progress, look(weight), plan, T0 + MINUTE).step).toEqual({
        do: "roll-back",
        reason: fail.text,
      });
    }
  });

  it("stops when somebody else has lowered the weight, without a rollback of its own", () => {
    const { step } = nextStep(phase(RELEASE, 30, T0), look(10), plan, T0 + MINUTE);
    expect(step).toMatchObject({
      do: "end",
      end: { result: "stopped", reason: "somebody else has lowered the weight to 10 %" },
    });
  });

  it("begins a phase that somebody else has raised to, with a bake time of its own", () => {
    const { step, progress } = nextStep(phase(RELEASE, 10, T0), look(30), plan, T0 + 20 * MINUTE);
    expect(step).toMatchObject({ do: "wait", for: "bake" });
    expect(progress).toMatchObject({ weight: 30, since: T0 + 20 * MINUTE });
  });
});

describe("a weight that could not be raised", () => {
  const raiseFailed = "cluster-b: istiod does not serve";

  it("rolls back what an earlier phase has raised", () => {
    expect(stepAt(10, 11, { raiseFailed }).step).toEqual({ do: "roll-back", reason: raiseFailed });
  });

  it("ends a release that has not begun", () => {
    expect(stepAt(0, 0, { raiseFailed }).step).toEqual({
      do: "end",
      end: { result: "stopped", reason: raiseFailed },
    });
  });
});

describe("a guard that takes the release back", () => {
  const guards = "the guard of cluster-b says: slow";
  const rollBack = { do: "roll-back", reason: guards };

  it("has it rolled back, whatever else is seen", () => {
    expect(stepAt(10, 1, { guards }).step).toEqual(rollBack);
    expect(stepAt(0, 1, { guards }).step).toEqual(rollBack);
    expect(stepAt(10, 1, { guards, paused: "lunch", verdicts: [dark] }).step).toEqual(rollBack);
    // It has lowered all clusters already.
    const lowered = look(0).clusters;
    expect(stepAt(10, 1, { guards, clusters: lowered }).step).toEqual(rollBack);
  });

  it("does not change how a rollout has ended", () => {
    const end = { result: "stopped" as const, reason: "no" };
    const { step } = nextStep({ ...phase(RELEASE, 0, T0), end }, look(0, { guards }), plan, T0);
    expect(step).toEqual({ do: "end", end });
  });
});

describe("people and webhooks", () => {
  it("waits for approval of the weights that want it, and of no others", () => {
    const of = { ...plan, approval: [100] };
    expect(stepAt(10, 10, {}, of).step).toEqual({ do: "raise", weight: 30 });
    expect(stepAt(30, 10, {}, of).step).toMatchObject({
      do: "wait",
      for: "approval",
      reason: "100 % needs approval: npm run release -- promote --stack prod",
    });
  });

  it("waits while it is paused", () => {
    expect(stepAt(10, 10, { paused: "paused by ann" }).step).toEqual({
      do: "wait",
      for: "paused",
      reason: "paused by ann",
    });
  });

  it("asks before the first phase, once", () => {
    const of = { ...plan, asks: { before: true, confirm: false } };
    expect(stepAt(0, 0, {}, of).step).toEqual({ do: "ask", when: "before" });
    expect(stepAt(0, 0, { answers: { before: [fail] } }, of).step).toMatchObject({
      end: { result: "stopped", reason: fail.text },
    });
    expect(stepAt(0, 0, { answers: { before: [dark] } }, of).step).toMatchObject({ for: "before" });
    expect(stepAt(0, 0, { answers: { before: [pass] } }, of).step).toMatchObject({ do: "raise" });
    expect(stepAt(10, 10, {}, of).step).toMatchObject({ do: "raise" });
  });

  it("asks for confirmation before each rise, and waits for a yes", () => {
    const of = { ...plan, asks: { before: false, confirm: true } };
    expect(stepAt(10, 10, {}, of).step).toEqual({ do: "ask", when: "confirm" });
    expect(stepAt(10, 10, { answers: { confirm: [fail] } }, of).step).toMatchObject({
      do: "wait",
      for: "confirm",
    });
    expect(stepAt(10, 10, { answers: { confirm: [pass] } }, of).step).toMatchObject({
      do: "raise",
    });
  });
});

describe("a release that has ended", () => {
  const end = { result: "rolled-back", reason: fail.text } as const;
  const ended = { ...phase(RELEASE, 10, T0), weight: 0, end };

  it("is not tried again by itself", () => {
    expect(nextStep(ended, look(0), plan, T0).step).toEqual({ do: "end", end });
  });

  it("starts over with another canary, or when somebody raises it", () => {
    const other = { ...look(0), release: "user/user-service v3" };
    expect(nextStep(ended, other, plan, T0).step).toEqual({ do: "raise", weight: 10 });
    expect(nextStep(ended, look(10), plan, T0).step).toMatchObject({ do: "wait", for: "bake" });
  });
});

describe("whatever is seen", () => {
  const verdict = fc.constantFrom(pass, fail, few, dark);
  const anyLook = fc.record(
    {
      release: fc.constantFrom(RELEASE, "user/user-service v3"),
      clusters: fc.array(
        fc.record(
          {
            name: fc.constantFrom("cluster-a", "cluster-b", "cluster-c"),
            weights: fc.array(fc.constantFrom(0, 10, 30, 100), { minLength: 1, maxLength: 2 }),
            unreachable: fc.constant("no answer"),
          },
          { requiredKeys: ["name", "weights"] },
        ),
        { minLength: 1, maxLength: 3 },
      ),
      verdicts: fc.array(verdict, { maxLength: 4 }),
      paused: fc.constant("paused"),
      raiseFailed: fc.constant("refused"),
    },
    { requiredKeys: ["release", "clusters", "verdicts"] },
  );
  /** Looks that mostly lead somewhere: all clusters answer, and most are alike. */
  const likely = fc
    .tuple(
      fc.constantFrom(0, 10, 30, 100),
      fc.constantFrom(undefined, undefined, undefined, 0, 10, 30, 100),
      fc.array(verdict, { maxLength: 2 }),
    )
    .map(([weight, other = weight, verdicts]) =>
      look(weight, {
        verdicts,
        clusters: [
          { name: "cluster-a", weights: [weight] },
          { name: "cluster-b", weights: [other] },
        ],
      }),
    );
  const before = fc.option(
    fc.record({
      release: fc.constant(RELEASE),
      weight: fc.constantFrom(0, 10, 30, 100),
      since: fc.integer({ min: T0 - 60 * MINUTE, max: T0 }),
      failures: fc.constant({ consecutive: 0, total: 0 }),
      begun: fc.boolean(),
    }),
    { nil: undefined },
  );

  it("raises only by one phase, with all clusters there and alike, all gates passed, nobody pausing", () => {
    let raised = 0;
    fc.assert(
      fc.property(before, fc.oneof(anyLook, likely), (progress, seen) => {
        const { step } = nextStep(progress, seen, plan, T0);
        if (step.do !== "raise") return;
        raised += 1;
        const weights = new Set(seen.clusters.flatMap(({ weights }) => weights));
        expect(weights.size).toBe(1);
        const [weight = 0] = weights;
        expect(step.weight).toBe(plan.phases.find((each) => each > weight));
        expect(seen.clusters.every(({ unreachable }) => unreachable === undefined)).toBe(true);
        expect(seen.verdicts.every(({ outcome }) => outcome === "pass")).toBe(true);
        expect(seen.paused).toBeUndefined();
        expect(seen.raiseFailed).toBeUndefined();
        if (weight > 0) expect(T0 - (progress?.since ?? T0)).toBeGreaterThanOrEqual(plan.bakeMs);
      }),
      { numRuns: 2000 },
    );
    expect(raised).toBeGreaterThan(10);
  });

  it("never waits with a failed gate, a cluster cut off for too long or clusters that differ", () => {
    fc.assert(
      fc.property(before, fc.oneof(anyLook, likely), fc.boolean(), (progress, seen, isLong) => {
        // Another release, or a weight that somebody has raised, begins anew.
        const isSamePhase =
          progress?.release === seen.release &&
          seen.clusters.every(({ weights }) => weights.every((each) => each <= progress.weight));
        const isAway = seen.clusters.some(({ unreachable }) => unreachable !== undefined);
        const isBad =
          seen.verdicts.some(({ outcome }) => outcome === "fail") ||
          (isAway && isLong && isSamePhase) ||
          new Set(seen.clusters.flatMap(({ weights }) => weights)).size > 1;
        fc.pre(isBad);
        const away = progress && isLong ? { awaySince: T0 - plan.unreachableLimitMs } : {};
        const { step } = nextStep(progress && { ...progress, ...away }, seen, plan, T0);
        expect(["roll-back", "end"]).toContain(step.do);
        if (step.do === "end") expect(step.end.result).toBe("stopped");
      }),
      { numRuns: 1000 },
    );
  });

  it("comes to an end, whatever the gates say from look to look", () => {
    fc.assert(
      fc.property(fc.array(verdict, { minLength: 1, maxLength: 20 }), (verdicts) => {
        const lenient = { ...plan, maxFailures: { consecutive: 3, total: 10 } };
        let progress: Progress | undefined;
        let weight = 0;
        let result: string | undefined;
        for (let i = 0; i < 500 && result === undefined; i += 1) {
          const now = T0 + i * MINUTE;
          const seen = look(weight, {
            verdicts: weight === 0 ? [] : [verdicts[i % verdicts.length] ?? pass],
          });
          const next = nextStep(progress, seen, lenient, now);
          ({ progress } = next);
          if (next.step.do === "raise") {
            ({ weight } = next.step);
            progress = phase(RELEASE, weight, now);
          } else if (next.step.do === "roll-back") result = "rolled-back";
          else if (next.step.do === "end") ({ result } = next.step.end);
        }
        expect(["done", "rolled-back"]).toContain(result);
      }),
    );
  });
});
