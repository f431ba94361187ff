import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allot } from "../clusters/allotment.ts";

const range = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
const claim = (name: string, since: number, held?: string) => ({ name, since, held });

describe("addresses of load balancers", () => {
  it("go to Services in order of age", () => {
    expect(allot([claim("young", 2), claim("old", 1)], range)).toEqual(
      new Map([
        ["old", "10.0.0.1"],
        ["young", "10.0.0.2"],
      ]),
    );
  });

  it("stay with whoever holds one, also when an older Service comes", () => {
    const allotted = allot([claim("old", 1), claim("young", 2, "10.0.0.1")], range);
    expect(allotted.get("young")).toBe("10.0.0.1");
    expect(allotted.get("old")).toBe("10.0.0.2");
  });

  it("outside of the range, or held by an older Service too, are replaced", () => {
    const allotted = allot(
      [claim("a", 1, "10.0.0.2"), claim("b", 2, "10.0.0.2"), claim("c", 3, "192.0.2.1")],
      range,
    );
    expect(Object.fromEntries(allotted)).toEqual({ a: "10.0.0.2", b: "10.0.0.1", c: "10.0.0.3" });
  });

  it("are never shared, and stay as they are when allotted again", () => {
    const claims = fc.uniqueArray(
      fc.record({
        name: fc.string({ minLength: 1 }),
        since: fc.nat(5),
        held: fc.option(fc.constantFrom(...range, "192.0.2.1"), { nil: undefined }),
      }),
      { selector: ({ name }) => name, maxLength: 5 },
    );
    fc.assert(
      fc.property(claims, (all) => {
        const allotted = allot(all, range);
        expect(new Set(allotted.values()).size).toBe(allotted.size);
        expect(allotted.size).toBe(Math.min(all.length, range.length));
        const again = all.map((entry) => ({ ...entry, held: allotted.get(entry.name) }));
        expect(allot(again, range)).toEqual(allotted);
      }),
    );
  });
});
