import { describe, expect, it } from "vitest";
import { allOfThem, mayMiss, percentOf } from "../../../lib/who-counts.ts";

describe("safety.confirm", () => {
  it("is all, or a percentage that leaves out less than half", () => {
    expect(["all", "50%", "98%", "99.9%"].map(percentOf)).toEqual([100, 50, 98, 99.9]);
    for (const text of ["49.9%", "100%", "0%", "5%", "98", "98 %", "98.55%", "ALL", ""]) {
      expect(percentOf(text)).toBeUndefined();
    }
  });

  it("is rounded up to whole proxies that must confirm", () => {
    expect([1, 2, 3, 49, 50, 100, 2000].map((counted) => mayMiss(98, counted))).toEqual([
      0, 0, 0, 0, 1, 2, 40,
    ]);
    expect(mayMiss(100, 2000)).toBe(0);
    expect(mayMiss(99.9, 2000)).toBe(2);
    // In binary, 1000 times 0.999 is a little more than 999.
    expect(mayMiss(99.9, 1000)).toBe(1);
    expect(mayMiss(50, 1)).toBe(0);
  });

  it("does not hold where requests fail at those that are left out", () => {
    const exclude = [{ namespace: "batch" }];
    expect(allOfThem({ percent: 98, exclude, lost: false })).toEqual({
      ...{ percent: 100, exclude, lost: true },
    });
  });
});
