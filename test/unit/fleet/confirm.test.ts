import { describe, expect, it, vi } from "vitest";

import type { MeshCluster } from "../../../fleet/cluster.ts";
import { confirmWeight } from "../../../fleet/confirm.ts";
import { routesOfAny, type EnvoyRoutes } from "../../../fleet/envoy.ts";

vi.mock(import("../../../fleet/envoy.ts"), async (original) => ({
  ...(await original()),
  routesOfAny: vi.fn<typeof routesOfAny>(),
}));

const expected = { hosts: ["user-service.user.svc.cluster.local"], canary: "v2", weight: 10 };

/** A cluster whose proxies, by name, serve a weight, have no route, or do not answer. */
function cluster(proxies: Readonly<Record<string, number | undefined | Error>>): MeshCluster {
  vi.mocked(routesOfAny).mockImplementation((_cluster, pod) => {
    const name = pod.metadata?.name ?? "";
    const served = proxies[name];
    if (served instanceof Error) return Promise.reject(served);
    return Promise.resolve(
      served === undefined
        ? undefined
        : ({ pod: name, weights: { v1: 100 - served, v2: served } } as unknown as EnvoyRoutes),
    );
  });
  const pods = Object.keys(proxies).map((name) => ({ metadata: { name, namespace: "user" } }));
  return { name: "cluster-a", proxies: () => Promise.resolve(pods) } as unknown as MeshCluster;
}

describe("confirmWeight", () => {
  it("gives the routes of every Envoy that has some, once all serve the weight", async () => {
    const routes = await confirmWeight(cluster({ a: 10, gateway: undefined, b: 10 }), expected, 50);
    expect(routes.map(({ pod }) => pod)).toEqual(["a", "b"]);
  });

  it("names every Envoy that serves another weight, and every one that does not answer", async () => {
    const some = cluster({ a: 10, b: 0, c: new Error("no answer within 10 s") });
    await expect(confirmWeight(some, expected, 50)).rejects.toThrow(
      "timed out after 0.05 s waiting for every Envoy of cluster-a to serve v2 at 10 %: user/b serves 0 %, user/c does not answer (no answer within 10 s)",
    );
  });
});
