import { describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../../../fleet/cluster-client.ts";
import { defaultWeights, routesEverywhere } from "../../../../../fleet/routing/istio/envoy.ts";
import { getJson } from "../../../../../fleet/pod-http.ts";

vi.mock(import("../../../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getJson: vi.fn<typeof getJson>(),
}));

const host = "user-service.user.svc.cluster.local";
const matched = {
  match: { headers: [{ name: "x-canary" }] },
  route: { cluster: `outbound|80|v2|${host}` },
};
const authority = { headers: [{ name: ":authority" }] };

function virtualHost(routes: Parameters<typeof defaultWeights>[0]["routes"]) {
  return { name: host, domains: [host], routes };
}

describe("defaultWeights", () => {
  it("reads the weights of the route without a header match", () => {
    const split = {
      match: {},
      route: {
        weighted_clusters: {
          clusters: [
            { name: `outbound|80|v1|${host}`, weight: 90 },
            { name: `outbound|80|v2|${host}`, weight: 10 },
          ],
        },
      },
    };
    expect(defaultWeights(virtualHost([matched, split]))).toEqual({ v1: 90, v2: 10 });
  });

  it("takes a single destination for 100 %", () => {
    const all = { match: {}, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([matched, all]))).toEqual({ v1: 100 });
  });

  it("takes a match on the host's own name for no condition", () => {
    const all = { match: authority, route: { cluster: `outbound|80|v1|${host}` } };
    expect(defaultWeights(virtualHost([all]))).toEqual({ v1: 100 });
  });

  it("has no weights where every route needs a header", () => {
    expect(defaultWeights(virtualHost([matched]))).toEqual({});
  });
});

describe("routesEverywhere", () => {
  const virtual_hosts = [
    virtualHost([{ match: {}, route: { cluster: `outbound|80|v1|${host}` } }]),
  ];
  const configs = [
    { last_updated: "2030-01-01T00:00:00Z", route_config: { name: "80", virtual_hosts } },
  ];

  /** Clusters of one client and a job whose pod does not answer, and is listed so many times. */
  function clusters(times: number): ClusterClient[] {
    vi.mocked(getJson).mockImplementation((_cluster, pod) =>
      pod.metadata?.name === "job"
        ? Promise.reject(new Error("cannot reach user/job:15000"))
        : Promise.resolve({ configs }),
    );
    let listed = 0;
    const proxies = () => {
      listed += 1;
      const names = listed > times ? ["client"] : ["client", "job"];
      return Promise.resolve(names.map((name) => ({ metadata: { name, namespace: "user" } })));
    };
    return [{ name: "cluster-a", proxies } as unknown as ClusterClient];
  }

  it.each([{ times: 1 }, { times: 3 }])(
    "does not miss a pod that is gone, also one that is listed $times times yet",
    async ({ times }) => {
      const found = await routesEverywhere(clusters(times), [host]);
      expect(found.map(({ pod }) => pod)).toEqual(["user/client"]);
    },
  );

  it("fails for one that stays and does not answer", async () => {
    await expect(routesEverywhere(clusters(Infinity), [host])).rejects.toThrow(
      "every Envoy of cluster-a to tell its routes: cannot reach user/job:15000",
    );
  });
});
