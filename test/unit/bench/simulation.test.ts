import { describe, expect, it } from "vitest";
import { simulateLateMany, simulateMany, unevenMesh } from "../../bench/simulation.ts";

/** The short form of `npm run bench:gates`: always the same rollouts. */
describe("a simulated rollout with the default gates", () => {
  it("passes all phases with a canary that is as good as stable", () => {
    for (const { result, failed, minutes } of simulateMany(unevenMesh(1000, 0.001, 0.001), 25)) {
      expect({ result, failed }).toEqual({ result: "done", failed: false });
      expect(minutes).toBe(30);
    }
  });

  it("does not blame a canary for what stable does too", () => {
    const results = simulateMany(unevenMesh(1000, 0.05, 0.05), 25).map(({ result }) => result);
    expect(new Set(results)).toEqual(new Set(["done"]));
  });

  it("stops one that is bad in a small cluster only, in the first phase", () => {
    for (const { failed, weight, minutes } of simulateMany(
      unevenMesh(1000, 0.001, 0.001, 0.05),
      25,
    )) {
      expect({ failed, weight }).toEqual({ failed: true, weight: 10 });
      expect(minutes).toBeLessThan(10);
    }
  });

  it("passes none that it has seen too little of, good or bad", () => {
    const results = simulateMany(unevenMesh(10, 0.001, 0.001), 10);
    for (const { result, failed } of results) {
      expect({ result, failed }).toEqual({ result: "rolled-back", failed: false });
    }
  });
});

describe("a canary that fails 5 % after 24 good hours", () => {
  const well = { canary: 0.001, stable: 0.001 };
  const late = { well, fault: () => 0.05, goodMinutes: 1440, watchedMinutes: 30 };
  /** Below which so many of the runs are. */
  const within = (perSecond: { canary: number; stable: number }) =>
    simulateLateMany({ ...late, perSecond }, 40)
      .map((minutes) => minutes ?? Infinity)
      .toSorted((a, b) => a - b)[37];

  it("is stopped within 2 minutes at 50 requests/s, and within 5 at 5 requests/s", () => {
    expect(within({ canary: 50, stable: 450 })).toBeLessThan(2);
    expect(within({ canary: 5, stable: 45 })).toBeLessThan(5);
  });

  it("is not stopped before", () => {
    const good = { ...late, fault: () => 0.001, watchedMinutes: 60 };
    const found = simulateLateMany({ ...good, perSecond: { canary: 50, stable: 450 } }, 20);
    expect(found).toEqual(Array(20).fill(undefined));
  });
});
