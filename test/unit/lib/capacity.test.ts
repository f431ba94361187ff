import { describe, expect, it } from "vitest";
import { neededFor, neededKey, podsFor } from "../../../lib/capacity.ts";
import { JOURNAL_FORMAT } from "../../../lib/journal.ts";

const asked = {
  key: "user/user-service",
  service: "user-service",
  stable: "v1",
  canary: "v2",
  weight: 10,
  served: 0,
};
const serving = { ...asked, served: 10 };
const route = (weight: number, stable = 4) => ({
  ...{ stable: "v1", canary: "v2", weight, generation: 1, replaces: undefined, rules: [] },
  images: {},
  replicas: { v1: stable },
});
const notes = [
  {
    [neededKey("user-service")]: JSON.stringify({
      format: JOURNAL_FORMAT,
      at: 1,
      key: "user/user-service",
      stable: "v1",
      pods: 20,
      most: 30,
    }),
  },
];

describe("what a service needs for all requests", () => {
  it("is what stable has when the canary begins, whatever an earlier release has noted", () => {
    const now = { key: "user/user-service", stable: "v1", pods: 4, isNoted: false };
    expect(neededFor(route(0), [], asked)).toEqual(now);
    expect(neededFor(route(0), notes, asked)).toEqual(now);
  });

  it("is what was noted then as long as the canary serves, though stable has fewer now", () => {
    const then = { key: "user/user-service", stable: "v1", pods: 20, most: 30, isNoted: true };
    expect(neededFor(route(10), notes, serving)).toEqual(then);
    // Also in the update that takes the canary back.
    expect(neededFor(route(100), notes, { ...serving, weight: 0 })).toEqual(then);
    // A follower of a chain serves what its entries mark.
    expect(neededFor({ ...route(0), role: "follower" as const }, notes, serving)).toEqual(then);
  });

  it("is what stable has now where nothing is noted of it", () => {
    expect(neededFor(route(30), [], serving)?.pods).toBe(4);
    expect(neededFor(route(30), notes, { ...serving, key: "other/user-service" })?.pods).toBe(4);
  });

  it("is nobody's concern without a canary, at 0 %, or once another version is stable", () => {
    expect(neededFor(route(10), notes, { ...serving, canary: undefined })).toBeUndefined();
    expect(neededFor(route(0), notes, { ...asked, weight: 0 })).toBeUndefined();
    expect(neededFor(route(100), notes, { ...serving, stable: "v2" })).toBeUndefined();
    expect(neededFor(undefined, notes, asked)).toBeUndefined();
    expect(neededFor(route(0, 0), [], asked)).toBeUndefined();
  });
});

it.each([
  [5, 10, undefined, 1],
  [5, 100, undefined, 5],
  [50, 30, 0.5, 8],
  [100, 7, undefined, 7],
  [50, 100, 0, 0],
])("of %d pods, %d %% of the requests take, by the factor %s, %d", (pods, weight, factor, of) => {
  expect(podsFor(pods, weight, factor)).toBe(of);
});
