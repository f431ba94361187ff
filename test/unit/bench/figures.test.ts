import { describe, expect, it } from "vitest";

import {
  figuresOf,
  markRows,
  spread,
  type Change,
  type Round,
} from "../../bench/weight/figures.ts";

function change(inForce: number, ends: number): Change {
  return { inForce, ends, skew: 0.01, marks: { engine: 1, inForce, ends } };
}

/** A round on a machine that is `slow` times as slow as a quiet one. */
function round(slow: number): Round {
  return {
    floor: {
      raise: { inForce: 0.3 * slow, skew: 0.01 * slow },
      lower: { inForce: 0.2 * slow, skew: 0.02 * slow },
    },
    empty: { ends: slow, marks: { engine: 0.5 * slow, ends: slow } },
    mesh: { raise: change(9 * slow, 12 * slow), lower: change(4 * slow, 11 * slow) },
    release: { raise: change(3 * slow, 5 * slow), lower: change(2 * slow, 5 * slow) },
  };
}

const rounds = [1, 3, 2].map(round);

function figure(command: string, what: string) {
  const found = figuresOf(rounds, 10).filter(
    (each) => each.command === command && each.what === what,
  );
  expect(found).toHaveLength(1);
  return found[0];
}

describe("the spread of values", () => {
  it("is the least, the middle and the greatest", () => {
    expect(spread([5, 1, 3])).toEqual({ min: 1, median: 3, max: 5 });
  });

  it("has the mean of the two middle ones of an even number", () => {
    expect(spread([4, 1, 3, 10])).toEqual({ min: 1, median: 3.5, max: 10 });
  });

  it("is not known of no values", () => {
    expect(() => spread([])).toThrow();
  });
});

describe("the figures of a benchmark", () => {
  it("compare with the empty program and the floor of the same round", () => {
    const raise = figure("pulumi up, mesh's stack, 0 → 10", "in force");
    expect(raise).toMatchObject({ min: 9, median: 18, max: 27, overEmpty: 16 });
    expect(raise?.timesFloor).toBeCloseTo(30);
  });

  it("do not mix up rounds, where the machine was not equally slow", () => {
    const uneven = [
      { ...round(1), empty: { ends: 1, marks: {} } },
      { ...round(3), empty: { ends: 20, marks: {} } },
      { ...round(2), empty: { ends: 2, marks: {} } },
    ];
    const [found] = figuresOf(uneven, 10).filter(
      ({ command, what }) => command === "pulumi up, mesh's stack, 0 → 10" && what === "in force",
    );
    // 8, 7 and 16; the medians' difference would be 16.
    expect(found?.overEmpty).toBe(8);
  });

  it("compare a weight that falls with a floor that falls", () => {
    expect(figure("pulumi up, mesh's stack, 10 → 0", "in force")?.timesFloor).toBeCloseTo(20);
    expect(figure("pulumi up, release stack, 10 → 0", "ends")?.timesFloor).toBeCloseTo(25);
  });

  it("have no comparison for the empty program, and none for a skew", () => {
    expect(figure("pulumi up, empty program", "ends")).toEqual({
      command: "pulumi up, empty program",
      ...{ what: "ends", min: 1, median: 2, max: 3 },
    });
    expect(figure("kubectl patch in parallel, 10 → 0", "skew")).not.toHaveProperty("timesFloor");
  });

  it("have release rollout only where it was measured", () => {
    const name = "release rollout, 0 → 10";
    expect(figuresOf(rounds, 10).map(({ command }) => command)).not.toContain(name);
    const measured = [...rounds, { ...round(1), rollout: change(20, 30) }];
    expect(figuresOf(measured, 10)).toContainEqual(
      expect.objectContaining({ command: name, what: "ends", median: 30, overEmpty: 29 }),
    );
  });
});

describe("where the time goes", () => {
  it("is a row for each mark, with the median of each command", () => {
    const rows = markRows(rounds, 10);
    expect(rows.find(({ mark }) => mark === "in force in every Envoy")?.seconds).toEqual({
      "pulumi up, mesh's stack, 0 → 10": 18,
      "pulumi up, mesh's stack, 10 → 0": 8,
      "pulumi up, release stack, 0 → 10": 6,
      "pulumi up, release stack, 10 → 0": 4,
    });
    expect(rows.find(({ mark }) => mark === "the engine begins")?.seconds).toMatchObject({
      "pulumi up, empty program": 1,
    });
  });
});
