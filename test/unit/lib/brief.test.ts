import { expect, it } from "vitest";
import { brief } from "../../../lib/brief.ts";

it.each([
  [[], ""],
  [["a"], "a"],
  // Four take no more room than three and a number.
  [["a", "b", "c", "d"], "a, b, c, d"],
  [["a", "b", "c", "d", "e"], "a, b, c, and 2 more"],
])("%j is %s in brief", (items, text) => {
  expect(brief(items)).toBe(text);
});
