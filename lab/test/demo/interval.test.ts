import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { contradicts, SHOWN_Z, wilson } from "../../demo/interval.ts";

describe("wilson", () => {
  it("gives the textbook interval of 10 in 100 at 95 %", () => {
    const { low, high } = wilson(10, 100, 1.96);
    expect(low).toBeCloseTo(5.52, 2);
    expect(high).toBeCloseTo(17.44, 2);
  });

  it("says nothing without trials", () => {
    expect(wilson(0, 0, SHOWN_Z)).toEqual({ low: 0, high: 100 });
  });

  it("always holds the measured share, within 0 and 100", () => {
    const trials = fc
      .integer({ min: 1, max: 10_000 })
      .chain((total) => fc.tuple(fc.integer({ min: 0, max: total }), fc.constant(total)));
    fc.assert(
      fc.property(trials, ([hits, total]) => {
        const { low, high } = wilson(hits, total, SHOWN_Z);
        const share = (100 * hits) / total;
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(100);
        expect(low).toBeLessThanOrEqual(share + 1e-9);
        expect(high).toBeGreaterThanOrEqual(share - 1e-9);
      }),
    );
  });
});

describe("contradicts", () => {
  it.each([
    { hits: 0, percent: 0, wrong: false },
    { hits: 1, percent: 0, wrong: true },
    { hits: 400, percent: 100, wrong: false },
    { hits: 399, percent: 100, wrong: true },
    { hits: 41, percent: 10, wrong: false },
    { hits: 120, percent: 10, wrong: true },
    { hits: 41, percent: 30, wrong: true },
    { hits: 0, percent: 10, wrong: true },
  ])("$hits of 400 at $percent %: $wrong", ({ hits, percent, wrong }) => {
    expect(contradicts(hits, 400, percent)).toBe(wrong);
  });
});
