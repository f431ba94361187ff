import { randomBinomial, randomLcg } from "d3-random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { confidence, surelyExceeds, type Count } from "../../../../release/gates/confidence.ts";

const counts = fc
  .integer({ min: 1, max: 1_000_000 })
  .chain((trials) =>
    fc.record({ hits: fc.integer({ min: 0, max: trials }), trials: fc.constant(trials) }),
  );
const risks = fc.double({ min: 1e-9, max: 0.5, noNaN: true });

describe("confidence", () => {
  it("says nothing without trials", () => {
    expect(confidence({ hits: 0, trials: 0 }, 0.01)).toEqual({ low: 0, high: 1 });
  });

  it("is the inverse of the evidence, in a case that can be worked out by hand", () => {
    // One hit in one trial: the mixture foretells 1/2, so shares below risk / 2 are ruled out.
    expect(confidence({ hits: 1, trials: 1 }, 0.1).low).toBeCloseTo(0.05, 12);
    expect(confidence({ hits: 1, trials: 1 }, 0.1).high).toBe(1);
    // Two misses: the mixture foretells 3/8, so (1 - p)² below 3/8 × risk is ruled out.
    expect(confidence({ hits: 0, trials: 2 }, 0.1).high).toBeCloseTo(1 - Math.sqrt(0.0375), 12);
  });

  it("holds the measured share, within 0 and 1, and mirrors when hits and misses change places", () => {
    fc.assert(
      fc.property(counts, risks, ({ hits, trials }, risk) => {
        const { low, high } = confidence({ hits, trials }, risk);
        const share = hits / trials;
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(share);
        expect(high).toBeGreaterThanOrEqual(share);
        const mirrored = confidence({ hits: trials - hits, trials }, risk);
        expect(mirrored.low).toBeCloseTo(1 - high, 6);
        expect(mirrored.high).toBeCloseTo(1 - low, 6);
      }),
    );
  });

  it("is wider the less risk is taken", () => {
    fc.assert(
      fc.property(counts, risks, risks, (count, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)];
        const wide = confidence(count, less);
        const narrow = confidence(count, more);
        expect(wide.low).toBeLessThanOrEqual(narrow.low + 1e-12);
        expect(wide.high).toBeGreaterThanOrEqual(narrow.high - 1e-12);
      }),
    );
  });

  it("comes as close to the share as one likes", () => {
    const { low, high } = confidence({ hits: 50_000, trials: 1_000_000 }, 1e-6);
    expect(low).toBeGreaterThan(0.0485);
    expect(high).toBeLessThan(0.0515);
  });
});

describe("surelyExceeds", () => {
  const risk = 0.001;
  const none = { hits: 0, trials: 0 };
  const counts = fc
    .integer({ min: 1, max: 20_000 })
    .chain((trials) =>
      fc.record({ hits: fc.integer({ min: 0, max: trials }), trials: fc.constant(trials) }),
    );

  it("is what the interval says where the limit does not depend on another share", () => {
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (count, most) => {
        fc.pre(Math.abs(confidence(count, risk).low - most) > 1e-9);
        expect(surelyExceeds(count, none, { most }, risk)).toBe(confidence(count, risk).low > most);
      }),
    );
  });

  it("never holds within the limit, as far as it is measured", () => {
    fc.assert(
      fc.property(counts, counts, fc.double({ min: 0, max: 0.2, noNaN: true }), (a, b, margin) => {
        fc.pre(a.hits / a.trials <= b.hits / b.trials + margin);
        expect(surelyExceeds(a, b, { margin }, risk)).toBe(false);
      }),
    );
  });

  it("needs more where the other share is known less", () => {
    const bad = { hits: 60, trials: 1000 };
    const limits = { margin: 0.01 };
    expect(surelyExceeds(bad, { hits: 10, trials: 10_000 }, limits, risk)).toBe(true);
    expect(surelyExceeds(bad, { hits: 0, trials: 20 }, limits, risk)).toBe(false);
    expect(surelyExceeds(bad, none, limits, risk)).toBe(false);
  });

  it("goes by the looser of both limits", () => {
    const bad = { hits: 60, trials: 1000 };
    const good = { hits: 10, trials: 10_000 };
    expect(surelyExceeds(bad, good, { most: 0.01, margin: 0.01 }, risk)).toBe(true);
    expect(surelyExceeds(bad, good, { most: 0.08, margin: 0.01 }, risk)).toBe(false);
    expect(surelyExceeds(bad, good, { most: 0.01, margin: 0.08 }, risk)).toBe(false);
  });

  it("is wrong no more often than it may be, however often one looks, at the very limit", () => {
    const random = randomLcg(0.42);
    const binomial = randomBinomial.source(random) as unknown as (
      trials: number,
      chance: number,
    ) => () => number;
    let wrong = 0;
    for (let run = 0; run < 300; run += 1) {
      let [count, other] = [none, none];
      for (let look = 0; look < 40; look += 1) {
        const more = (of: Count, chance: number) => ({
          hits: of.hits + binomial(100, chance)(),
          trials: of.trials + 100,
        });
        [count, other] = [more(count, 0.06), more(other, 0.05)];
        if (surelyExceeds(count, other, { margin: 0.01 }, 0.2)) {
          wrong += 1;
          break;
        }
      }
    }
    expect(wrong / 300).toBeLessThanOrEqual(0.2);
  });
});
