import { describe, expect, it } from "vitest";
import { parsePath, valueAt } from "../../../preview/property-path.ts";

describe("a property path", () => {
  it.each([
    ["weight", ["weight"]],
    ["spec.http[1].route[0].weight", ["spec", "http", 1, "route", 0, "weight"]],
    [
      'metadata.annotations["pulumi.com/patchForce"]',
      ["metadata", "annotations", "pulumi.com/patchForce"],
    ],
    ['a["say \\"hi\\""].b', ["a", 'say "hi"', "b"]],
    ["[0][1]", [0, 1]],
  ])("%s has its parts", (path, parts) => {
    expect(parsePath(path)).toEqual(parts);
  });

  it("leads to a value, and to undefined where there is none", () => {
    const value = { a: [{ "b.c": 1 }], n: null };
    expect(valueAt(value, ["a", 0, "b.c"])).toBe(1);
    expect(valueAt(value, ["a", 1, "b.c"])).toBeUndefined();
    expect(valueAt(value, ["n", "x"])).toBeUndefined();
    // What every object inherits is no property.
    expect(valueAt(value, ["constructor"])).toBeUndefined();
  });
});
