import { expect, it } from "vitest";
import { allOf, oneOf } from "../../../lib/enumerate.ts";

it.each([
  [[], "", ""],
  [["a"], "a", "a"],
  [["a", "b"], "a and b", "a or b"],
  [["a", "b", "c"], "a, b and c", "a, b or c"],
])("items are listed as in a sentence: %j", (items, conjunction, disjunction) => {
  expect(allOf(items)).toBe(conjunction);
  expect(oneOf(items)).toBe(disjunction);
});
