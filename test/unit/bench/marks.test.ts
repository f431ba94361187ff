import { describe, expect, it } from "vitest";

import { switched } from "../../../fleet/switched.ts";
import { marksOf } from "../../bench/weight/marks.ts";

const STACK = "pulumi:pulumi:Stack";
const VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService";

function begins(type: string, op = "same") {
  return { resourcePreEvent: { metadata: { op, type, urn: `urn:${type}` }, planning: false } };
}

function ended(type: string, op = "same") {
  return { resOutputsEvent: { metadata: { op, type, urn: `urn:${type}` } } };
}

function says(message: string, severity = "info") {
  return { diagnosticEvent: { message, severity, color: "raw" } };
}

/** Gives each event a second of its own, from 1. */
function eachSecond(events: readonly object[]) {
  return events.map((event, i) => ({ seconds: i + 1, event: { sequence: i, ...event } }));
}

const confirmation = switched([
  {
    cluster: "cluster-a",
    pod: "user/client",
    weights: { v1: 90, v2: 10 },
    tables: {},
    updatedAt: new Date(0),
  },
]);

describe("the marks of an update", () => {
  it("are when each step of a raise happened", () => {
    const marks = marksOf(
      eachSecond([
        { preludeEvent: { config: {} } },
        begins(STACK),
        begins("pulumi:providers:pulumi"),
        begins("pulumi:pulumi:StackReference", "read"),
        begins("kubernetes:core/v1:Namespace"),
        begins(VIRTUAL_SERVICE),
        ended(VIRTUAL_SERVICE),
        begins(VIRTUAL_SERVICE, "update"),
        says("waiting"),
        begins(VIRTUAL_SERVICE, "update"),
        says(`v2 of user/user-service from 0 % to 10 %: ${confirmation}.`),
        ended(VIRTUAL_SERVICE, "update"),
        ended(VIRTUAL_SERVICE, "update"),
        begins("kubernetes:core/v1:ConfigMap"),
        ended("kubernetes:core/v1:ConfigMap"),
        ended(STACK),
        { summaryEvent: { durationSeconds: 3 } },
      ]),
    );
    expect(marks).toEqual({
      engine: 1,
      program: 2,
      registers: 5,
      updates: 8,
      confirmed: 11,
      updated: 13,
      registered: 14,
      engineEnds: 17,
    });
  });

  it("leave out what does not happen in an empty program", () => {
    const events = [{ preludeEvent: {} }, begins(STACK), ended(STACK), { summaryEvent: {} }];
    expect(marksOf(eachSecond(events))).toEqual({ engine: 1, program: 2, engineEnds: 4 });
  });

  it("do not mistake other objects for VirtualServices", () => {
    const kinds = [
      "kubernetes:networking.istio.io/v1:DestinationRule",
      "kubernetes:networking.istio.io/v1:VirtualServicePatch",
      "istio-canary:mesh:VirtualService",
    ];
    const marks = marksOf(
      eachSecond(kinds.flatMap((type) => [begins(type, "update"), ended(type, "update")])),
    );
    expect(marks).toEqual({ registers: 1, registered: 5 });
  });

  it("fail where what comes is not an event", () => {
    expect(() => marksOf([{ seconds: 1, event: "Updating (lab)" }])).toThrow();
  });
});
