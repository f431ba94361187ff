import { describe, expect, it } from "vitest";

import { differences } from "../../../lab/demo/routing-record.ts";

describe("differences", () => {
  it("names what is new, gone or changed, and nothing else", () => {
    const before = new Map<string, unknown>([
      ["same", { http: [{ weight: 1 }] }],
      ["changed", { http: [{ weight: 1 }] }],
      ["lost", {}],
    ]);
    const after = new Map<string, unknown>([
      ["same", { http: [{ weight: 1 }] }],
      ["changed", { http: [{ weight: 2 }] }],
      ["stale", {}],
    ]);
    expect(differences(before, after)).toEqual(["changed differs", "lost is gone", "stale is new"]);
  });
});
