import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arePhases, isWeight, shares, sharesByVersion } from "../../../lib/weights.ts";

const weight = fc.integer({ min: 0, max: 100 });

describe("shares", () => {
  it("sum to 100 and give the canary its weight, whatever it is", () => {
    fc.assert(
      fc.property(weight, (percent) => {
        const split = { stable: "v1", canary: "v2", weight: percent };
        expect(shares(split)).toHaveLength(2);
        expect(shares(split).reduce((sum, share) => sum + share.weight, 0)).toBe(100);
        expect(sharesByVersion(split)).toEqual({ v1: 100 - percent, v2: percent });
      }),
    );
  });

  it("rise with the weight", () => {
    fc.assert(
      fc.property(weight, weight, (a, b) => {
        const canaryAt = (w: number) =>
          sharesByVersion({ stable: "v1", canary: "v2", weight: w })["v2"] ?? -1;
        expect(Math.sign(canaryAt(a) - canaryAt(b))).toBe(Math.sign(a - b));
      }),
    );
  });

  it("are all stable's without a canary, whatever the weight", () => {
    fc.assert(
      fc.property(weight, (percent) => {
        expect(shares({ stable: "v1", weight: percent })).toEqual([{ version: "v1", weight: 100 }]);
      }),
    );
  });
});

describe("a weight", () => {
  it.each([
    [0, true],
    [100, true],
    [-1, false],
    [101, false],
    [9.5, false],
    ["10", false],
    [Number.NaN, false],
    [undefined, false],
  ])("%j is one: %s", (value, valid) => {
    expect(isWeight(value)).toBe(valid);
  });
});

describe("phases", () => {
  it.each([
    [[10, 30, 100], true],
    [[100], true],
    [[], false],
    [[10, 30], false],
    [[30, 10, 100], false],
    [[10, 10, 100], false],
    [[0, 100], false],
    [[10.5, 100], false],
    [[10, 100, 110], false],
  ])("%j are right: %s", (phases, valid) => {
    expect(arePhases(phases)).toBe(valid);
  });
});
