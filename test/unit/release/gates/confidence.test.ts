import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { confidence } from "../../../../release/gates/confidence.ts";

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
