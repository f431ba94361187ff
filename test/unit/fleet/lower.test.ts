import { beforeEach, describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { lower, type Fall } from "../../../fleet/lower.ts";
import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";

vi.mock(import("../../../fleet/routing/istio/write-routes.ts"), async (original) => ({
  ...(await original()),
  writeRoutes: vi.fn<typeof writeRoutes>(),
}));

function fall(name: string): Fall {
  const route = (["v1", "v2"] as const).map((subset, i) => ({
    destination: { subset },
    weight: i === 0 ? 70 : 30,
  }));
  return {
    cluster: { name } as ClusterClient,
    service: "user-service",
    namespace: "user",
    canary: "v2",
    weight: 0,
    rules: [{ route }],
  };
}

beforeEach(() => {
  vi.mocked(writeRoutes).mockReset().mockResolvedValue(undefined);
});

describe("lower", () => {
  it("writes the weight to every cluster, whatever state it is in", async () => {
    expect(await lower([fall("cluster-a"), fall("cluster-b")])).toEqual(new Map());
    expect(
      vi
        .mocked(writeRoutes)
        .mock.calls.map(([{ name }, , http, ...rest]) => ({ name, http, rest })),
    ).toEqual(
      ["cluster-a", "cluster-b"].map((name) => ({
        name,
        http: [
          {
            route: [
              { destination: { subset: "v1" }, weight: 100 },
              { destination: { subset: "v2" }, weight: 0 },
            ],
          },
        ],
        rest: [],
      })),
    );
  });

  it("names a cluster that does not take it, after all others have", async () => {
    vi.mocked(writeRoutes).mockImplementation(({ name }) =>
      name === "cluster-a" ? Promise.reject(new Error("denied")) : Promise.resolve(),
    );
    expect(await lower([fall("cluster-a"), fall("cluster-b")])).toEqual(
      new Map([["cluster-a", "denied"]]),
    );
    expect(writeRoutes).toHaveBeenCalledTimes(2);
  });
});
