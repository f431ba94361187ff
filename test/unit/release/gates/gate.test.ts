import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeBadShare, judgeShare } from "../../../../release/gates/gate.ts";

const confidence = { risk: 0.001, minSamples: 100 };
const none = { hits: 0, trials: 0 };
const good = { hits: 1, trials: 1000 };

describe("judgeBadShare with a fixed limit", () => {
  const limits = { most: 1, precision: 4 };

  it.each([
    { hits: 0, trials: 99, outcome: "hold", why: "99 of 100 requests" },
    { hits: 99, trials: 99, outcome: "hold", why: "99 of 100 requests" },
    { hits: 0, trials: 120, outcome: "hold", why: "more are needed to be sure within 4 points" },
    { hits: 0, trials: 300, outcome: "pass", why: undefined },
    { hits: 3, trials: 300, outcome: "hold", why: "more are needed to be sure within 4 points" },
    { hits: 15, trials: 300, outcome: "fail", why: undefined },
    { hits: 6, trials: 300, outcome: "hold", why: "more are needed to be sure within 4 points" },
    { hits: 10, trials: 1000, outcome: "pass", why: undefined },
  ])("$hits bad ones in $trials: $outcome", ({ hits, trials, outcome, why }) => {
    const judged = judgeBadShare({ canary: { hits, trials }, stable: none }, limits, confidence);
    expect(judged.outcome).toBe(outcome);
    expect(judged.missing).toBe(why);
    expect(judged).toMatchObject({ limit: 1, samples: trials, value: (100 * hits) / trials });
  });
});

describe("judgeBadShare against stable", () => {
  const limits = { margin: 1, precision: 4 };

  it("does not blame the canary for what stable does too", () => {
    const bad = { hits: 200, trials: 1000 };
    const judged = judgeBadShare({ canary: bad, stable: bad }, limits, confidence);
    expect(judged.outcome).not.toBe("fail");
    expect(judged.limit).toBeCloseTo(21);
  });

  it("fails a canary that is worse by more than the margin", () => {
    const canary = { hits: 80, trials: 1000 };
    expect(judgeBadShare({ canary, stable: good }, limits, confidence).outcome).toBe("fail");
  });

  it("holds while stable has too few requests to compare with", () => {
    const canary = { hits: 500, trials: 1000 };
    const judged = judgeBadShare({ canary, stable: none }, limits, confidence);
    expect(judged.outcome).toBe("hold");
    expect(judged.missing).toBe("0 of 100 requests of stable, to compare with");
  });
});

describe("judgeBadShare with both limits", () => {
  const limits = { most: 1, margin: 1, precision: 4 };
  const canary = { hits: 100, trials: 1000 };

  it("counts the looser one", () => {
    const stable = { hits: 110, trials: 1000 };
    expect(judgeBadShare({ canary, stable }, limits, confidence).outcome).not.toBe("fail");
    expect(judgeBadShare({ canary, stable: good }, limits, confidence).outcome).toBe("fail");
  });

  it("goes by the fixed one where there is no stable to compare with", () => {
    expect(judgeBadShare({ canary, stable: none }, limits, confidence).outcome).toBe("fail");
  });
});

describe("any bad share", () => {
  const counts = (max: number) =>
    fc
      .integer({ min: 0, max })
      .chain((trials) =>
        fc.record({ hits: fc.integer({ min: 0, max: trials }), trials: fc.constant(trials) }),
      );
  const limits = fc.record(
    {
      most: fc.integer({ min: 0, max: 20 }),
      margin: fc.integer({ min: 0, max: 20 }),
      precision: fc.integer({ min: 0, max: 20 }),
    },
    { requiredKeys: ["precision"] },
  );

  it("never fails with a measured share within the limit, nor passes with one beyond limit and precision", () => {
    fc.assert(
      fc.property(counts(100_000), counts(100_000), limits, (canary, stable, of) => {
        const { outcome, value = 0, limit } = judgeBadShare({ canary, stable }, of, confidence);
        if (value <= limit) expect(outcome).not.toBe("fail");
        if (value > limit + of.precision) expect(outcome).not.toBe("pass");
      }),
    );
  });

  it("fails only with the whole interval beyond the limit", () => {
    let failed = 0;
    const few = fc.oneof(counts(300), counts(10_000));
    fc.assert(
      fc.property(few, few, limits, (canary, stable, of) => {
        const { outcome, low, limit } = judgeBadShare({ canary, stable }, of, confidence);
        if (outcome !== "fail") return;
        failed += 1;
        expect(low).toBeGreaterThanOrEqual(limit);
      }),
      { numRuns: 1000 },
    );
    expect(failed).toBeGreaterThan(10);
  });

  it("never decides without enough requests", () => {
    fc.assert(
      fc.property(counts(99), counts(100_000), limits, (canary, stable, of) => {
        expect(judgeBadShare({ canary, stable }, of, confidence).outcome).toBe("hold");
      }),
    );
  });

  it("never gets better by one more bad request", () => {
    const rank = { pass: 0, hold: 1, fail: 2 };
    fc.assert(
      fc.property(counts(10_000), counts(10_000), limits, (canary, stable, of) => {
        fc.pre(canary.hits < canary.trials && canary.trials >= confidence.minSamples);
        const worse = { ...canary, hits: canary.hits + 1 };
        const before = judgeBadShare({ canary, stable }, of, confidence).outcome;
        const after = judgeBadShare({ canary: worse, stable }, of, confidence).outcome;
        expect(rank[after]).toBeGreaterThanOrEqual(rank[before]);
      }),
    );
  });
});

describe("judgeShare", () => {
  it.each([
    { hits: 9, trials: 99, weight: 10, outcome: "hold" },
    { hits: 41, trials: 400, weight: 10, outcome: "pass" },
    { hits: 120, trials: 400, weight: 10, outcome: "fail" },
    { hits: 0, trials: 400, weight: 10, outcome: "fail" },
    { hits: 0, trials: 400, weight: 0, outcome: "pass" },
    { hits: 400, trials: 400, weight: 100, outcome: "pass" },
    { hits: 300, trials: 400, weight: 100, outcome: "fail" },
    // Beyond doubt not 10 %, and still within the tolerance.
    { hits: 120_000, trials: 1_000_000, weight: 10, outcome: "pass" },
    { hits: 140_000, trials: 1_000_000, weight: 10, outcome: "fail" },
  ])("$hits of $trials at weight $weight: $outcome", ({ hits, trials, weight, outcome }) => {
    expect(judgeShare({ hits, trials }, weight, 3, confidence).outcome).toBe(outcome);
  });
});
