import { describe, expect, it } from "vitest";

import type { LiveRouting } from "../../../fleet/routing/cluster-routing.ts";
import { differences, recorded } from "../../demo/routing-record.ts";

const live = (weight: number, strays: readonly string[] = []): LiveRouting => ({
  objects: { "VirtualService/user-service": { weight } },
  envoys: [],
  envoyCount: 14,
  strays,
});

describe("differences", () => {
  it("names what has changed in which cluster, and what others have added", () => {
    const before = new Map([
      ["cluster-a", live(0)],
      ["cluster-b", live(0)],
    ]);
    const after = new Map([
      ["cluster-a", live(0)],
      ["cluster-b", live(10, ["DestinationRule user/stale"])],
    ]);
    expect(differences(before, after)).toEqual([
      "cluster-b: VirtualService/user-service: weight: was 0, is 10",
      "cluster-b: DestinationRule user/stale routes the service too",
    ]);
    expect(recorded(before)).toBe(30);
  });
});
