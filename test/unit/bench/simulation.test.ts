import { describe, expect, it } from "vitest";
import { simulateMany, unevenMesh } from "../../bench/simulation.ts";

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
