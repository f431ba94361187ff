import { describe, expect, it } from "vitest";

import type { Answer, Hop } from "../../demo/answers.ts";
import { mixedWays, serviceShares } from "../../demo/chain-ways.ts";

const hop = (text: string): Hop => {
  const [service = "", version = "", cluster = "", mark] = text.split(" ");
  return { service, version, cluster, mark };
};
const answer = (...hops: readonly string[]): Answer => ({
  at: 0,
  version: "v1",
  cluster: "cluster-a",
  hops: hops.map(hop),
  failure: undefined,
});

const stable = answer("front v1 a", "order-service v1 b", "user-service v1 a");
const canary = answer("front v2 a canary", "order-service v2 b canary", "user-service v2 b canary");

describe("mixedWays", () => {
  it("takes ways through canaries alone and through stable versions alone", () => {
    expect(mixedWays([stable, canary])).toEqual([]);
    expect(mixedWays([canary], "v3", "v2")).toHaveLength(1);
    const promoted = answer("front v2 a", "order-service v2 b", "user-service v2 a");
    expect(mixedWays([promoted], "v3", "v2")).toEqual([]);
  });

  it.each([
    [
      "a service of another version",
      "front v2 a canary,order-service v2 b canary,user-service v1 a canary",
    ],
    ["a mark that was lost", "front v2 a canary,order-service v2 b canary,user-service v2 a"],
    [
      "a mark on the way through stable versions",
      "front v1 a,order-service v1 b,user-service v1 a canary",
    ],
    ["another mark", "front v2 a alice,order-service v2 b alice,user-service v2 a alice"],
    ["a service left out", "front v1 a,user-service v1 a"],
    ["services in another order", "front v1 a,user-service v1 a,order-service v1 a"],
  ])("tells of %s", (_what, hops) => {
    expect(mixedWays([stable, answer(...hops.split(",")), canary])).toHaveLength(1);
  });

  it("says how the request went, and nothing of one that failed", () => {
    const mixed = answer("front v2 a canary", "order-service v1 b");
    expect(mixedWays([mixed, { ...mixed, failure: "HTTP 502" }])).toEqual([
      "front v2 marked canary → order-service v1",
    ]);
    expect(mixedWays([answer()])).toEqual(["no service"]);
  });
});

describe("serviceShares", () => {
  it("counts each service's answers, those of its canary, and by cluster", () => {
    expect(serviceShares([stable, canary, canary, { ...canary, failure: "HTTP 502" }])).toEqual([
      { service: "front", answers: 3, canary: 2, from: { a: 3 } },
      { service: "order-service", answers: 3, canary: 2, from: { b: 3 } },
      { service: "user-service", answers: 3, canary: 2, from: { a: 1, b: 2 } },
    ]);
  });
});
