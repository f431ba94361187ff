import { describe, expect, it } from "vitest";
import { servedLines, statesJson, statesTable } from "../../../release/describe.ts";
import { deployedChain } from "../../helpers/chain.ts";
import { deployedCluster, split as v } from "../../helpers/deployed.ts";

const state = {
  number: 7,
  time: new Date("2026-11-24T13:00:00.123Z"),
  who: "Ada",
  result: "succeeded",
  message: "first phase",
  weight: 10,
  services: [
    { service: "user/user-service", stable: "v1", canary: "v2" },
    { service: "user/order-service", stable: "v5" },
  ],
  inForce: true,
  release: { services: "[…]", weight: "10" },
};

describe("states", () => {
  it("are a table for people", () => {
    expect(statesTable([state])).toBe(
      [
        "┌─────────┬─────────────────────────┬─────┬───────────┬────────┬─────────────────────────────────────┬─────────────┐",
        "│ state   │ time                    │ who │ result    │ weight │ versions                            │ message     │",
        "│ 7 (now) │ 2026-11-24 13:00:00 UTC │ Ada │ succeeded │ 10 %   │ user/user-service: v1 90 %, v2 10 % │ first phase │",
        "│         │                         │     │           │        │ user/order-service: v5 100 %        │             │",
        "└─────────┴─────────────────────────┴─────┴───────────┴────────┴─────────────────────────────────────┴─────────────┘",
      ].join("\n"),
    );
  });

  it("name the first of many services, and how many more there are", () => {
    const services = Array.from({ length: 20 }, (_, i) => ({
      service: `user/s${i}`,
      stable: "v1",
    }));
    const table = statesTable([{ ...state, services }]);
    expect(table).toContain("user/s2: v1 100 %");
    expect(table).toContain("and 17 more");
    expect(table).not.toContain("user/s3");
  });

  it("are JSON for machines, without the configuration", () => {
    const printed: unknown = JSON.parse(statesJson([state]));
    expect(printed).toMatchObject([{ number: 7, weight: 10, time: "2026-11-24T13:00:00.123Z" }]);
    expect(printed).not.toHaveProperty("0.release");
  });
});

describe("what clusters serve", () => {
  it("is of a chain's follower the share of the entry", () => {
    expect(servedLines([deployedChain("a", v("v1", "v2", 10))])).toEqual([
      " - a: user/user-service has v1 at 90 %, v2 at 10 %",
      " - a: user/order-service has v1 at 90 %, v2 at 10 %",
    ]);
  });

  it("is a line for each, also for one that cannot be read", () => {
    const away = { name: "b", unreachable: "no answer in time", routes: new Map() };
    expect(servedLines([deployedCluster("a", v("v1", "v2", 10)), away])).toEqual([
      " - a: user/user-service has v1 at 90 %, v2 at 10 %",
      " - b: cannot be read (no answer in time)",
    ]);
  });
});
