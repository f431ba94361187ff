import type { UpdateSummary } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, it } from "vitest";
import { isTarget, statesOf } from "../../../release/states.ts";

const services = JSON.stringify([
  {
    name: "user-service",
    namespace: "user",
    stable: { version: "v1", image: "image:v1" },
    canary: { version: "v2", image: "image:v2" },
  },
]);

function entry(weight: number, more: Partial<UpdateSummary> = {}): UpdateSummary {
  return {
    kind: "update",
    startTime: new Date("2026-11-24T13:00:00Z"),
    endTime: new Date("2026-11-24T13:00:05Z"),
    message: `weight ${weight}`,
    environment: { "git.author": "Ada" },
    config: {
      "istio-canary:weight": { value: String(weight) },
      "istio-canary:services": { value: services },
      "istio-canary:mesh": { value: "{}" },
      "istio-canary:certificates": { value: "", secret: true },
    },
    result: "succeeded",
    version: 0,
    ...more,
  };
}

const numbers = (history: readonly UpdateSummary[]) =>
  statesOf(history, "istio-canary").map(({ number }) => number);

describe("the states of a stack", () => {
  it("tell time, person, result, weight and versions, and hold the release's keys alone", () => {
    expect(statesOf([entry(10)], "istio-canary")).toEqual([
      {
        number: 1,
        time: new Date("2026-11-24T13:00:00Z"),
        who: "Ada",
        result: "succeeded",
        message: "weight 10",
        weight: 10,
        services: [{ service: "user/user-service", stable: "v1", canary: "v2" }],
        inForce: true,
        release: { weight: "10", services },
      },
    ]);
  });

  it("hold the chain where there is one", () => {
    const chain = JSON.stringify({ entries: ["user/user-service"] });
    const config = { ...entry(10).config, "istio-canary:chain": { value: chain } };
    const [state] = statesOf([entry(10, { config })], "istio-canary");
    expect(state?.release).toEqual({ weight: "10", services, chain });
  });

  it("have numbers that stay when later ones come", () => {
    const history = [entry(10, { kind: "refresh" }), entry(10), entry(0)];
    expect(numbers(history)).toEqual([2, 1]);
    expect(numbers([entry(30), ...history])).toEqual([4, 2, 1]);
  });

  it("have the backend's numbers where it has any", () => {
    expect(numbers([entry(10, { version: 42 }), entry(0, { version: 41 })])).toEqual([42, 41]);
  });

  it("are in force if they are the newest that has succeeded", () => {
    const history = [entry(30, { result: "failed" }), entry(10), entry(0)];
    const states = statesOf(history, "istio-canary");
    expect(states.map(({ inForce }) => inForce)).toEqual([false, true, false]);
    expect(states.map(isTarget)).toEqual([false, true, true]);
  });

  it("are none in force once the stack is destroyed", () => {
    const states = statesOf([entry(0, { kind: "destroy" }), entry(0)], "istio-canary");
    expect(states.map(({ inForce }) => inForce)).toEqual([false]);
  });

  it("name the CI system, and nobody where nobody is known", () => {
    const environment = { "git.author": "Ada", "ci.system": "GitHub" };
    const states = statesOf(
      [entry(0, { environment }), entry(0, { environment: {} })],
      "istio-canary",
    );
    expect(states.map(({ who }) => who)).toEqual(["Ada (GitHub)", ""]);
  });
});
