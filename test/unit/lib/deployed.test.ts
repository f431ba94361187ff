import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  replacesAnnotation,
  sameShares,
  shareOf,
  type DeployedRoute,
} from "../../../lib/deployed.ts";
import { shares, type Split } from "../../../lib/weights.ts";

const live = (split: Split, generation: number, replaces?: string): DeployedRoute => ({
  ...split,
  generation,
  replaces,
  rules: [],
  images: {},
});

const splits = fc.record({
  stable: fc.constant("v1"),
  canary: fc.constantFrom("v2", undefined),
  weight: fc.integer({ min: 0, max: 100 }),
});

describe("shareOf", () => {
  it("is what the split gives each version, and nothing for others", () => {
    fc.assert(
      fc.property(splits, (split) => {
        for (const { version, weight } of shares(split)) {
          expect(shareOf(split, version)).toBe(weight);
        }
        expect(shareOf(split, "v9")).toBe(0);
        expect(shareOf(split, undefined)).toBe(0);
      }),
    );
  });

  it("shows that a promotion sends every request the same way", () => {
    const before = { stable: "v1", canary: "v2", weight: 100 };
    expect(sameShares(before, { stable: "v2", weight: 0 })).toBe(true);
    expect(sameShares(before, { stable: "v2", canary: "v3", weight: 0 })).toBe(true);
    expect(sameShares(before, { stable: "v1", weight: 0 })).toBe(false);
  });
});

describe("the annotation that shows Pulumi a difference", () => {
  const wanted = { stable: "v1", canary: "v2", weight: 30 };

  it("names the generation of a cluster that serves something else", () => {
    expect(replacesAnnotation(live({ ...wanted, weight: 10 }, 7), wanted)).toBe("generation 7");
  });

  it("stays what it is where the cluster serves what is wanted", () => {
    expect(replacesAnnotation(live(wanted, 8), wanted)).toBeUndefined();
    const annotated = live(wanted, 8, "generation 7");
    expect(replacesAnnotation(annotated, wanted)).toBe("generation 7");
  });

  it("is left out where there is nothing yet", () => {
    expect(replacesAnnotation(undefined, wanted)).toBeUndefined();
  });
});
