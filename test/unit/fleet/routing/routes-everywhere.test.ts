import { describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../../fleet/cluster-client.ts";
import { getBytes } from "../../../../fleet/pod-http.ts";
import { routesEverywhere } from "../../../../fleet/routing/routes-everywhere.ts";

vi.mock(import("../../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getBytes: vi.fn<typeof getBytes>(),
}));

const host = "user-service.user.svc.cluster.local";

describe("routesEverywhere", () => {
  const routes = [{ match: {}, route: { cluster: `outbound|80|v1|${host}` } }];
  const virtual_hosts = [{ name: host, domains: [host], routes }];
  const configs = [
    { last_updated: "2030-01-01T00:00:00Z", route_config: { name: "80", virtual_hosts } },
  ];

  /** Clusters of one client and a job whose pod does not answer, and is listed so many times. */
  function clusters(times: number): ClusterClient[] {
    vi.mocked(getBytes).mockImplementation((_cluster, pod) =>
      pod.metadata?.name === "job"
        ? Promise.reject(new Error("cannot reach user/job:15000"))
        : Promise.resolve(Buffer.from(JSON.stringify({ configs }))),
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
