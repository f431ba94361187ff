import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmRules } from "../../../fleet/confirm-rules.ts";
import { isTransient } from "../../../fleet/explain.ts";
import { confirmWeight, confirmWeights } from "../../../fleet/confirm.ts";
import type { EnvoyRoutes } from "../../../fleet/routing/cluster-routing.ts";
import { routesOfAll, virtualHostsOf } from "../../../fleet/routing/istio/envoy.ts";
import { Late } from "../../../lib/within.ts";

vi.mock(import("../../../fleet/routing/istio/envoy.ts"), async (original) => ({
  ...(await original()),
  routesOfAll: vi.fn<typeof routesOfAll>(),
  virtualHostsOf: vi.fn<typeof virtualHostsOf>(),
}));

const expected = { hosts: ["user-service.user.svc.cluster.local"], canary: "v2", weight: 10 };

/** What a proxy does when it is asked: serves a weight, has no route, or does not answer. */
type Proxy = number | undefined | Error;

function podOf(name: string, restartCount = 0, ready = true): V1Pod {
  return {
    metadata: { name, namespace: "user", uid: `uid of ${name}` },
    status: {
      containerStatuses: [{ name: "istio-proxy", restartCount, ready, image: "", imageID: "" }],
    },
  };
}

/** A cluster whose proxies, by name, are others at each list; the last list stays. `asked` has who was asked. */
function changing(...lists: Readonly<Record<string, Proxy>>[]) {
  const asked: string[] = [];
  let now: Readonly<Record<string, Proxy>> = {};
  let next = lists;
  vi.mocked(routesOfAll).mockImplementation((_cluster, pod) => {
    const name = pod.metadata?.name ?? "";
    asked.push(name);
    const served = now[name];
    if (served instanceof Error) return Promise.reject(served);
    return Promise.resolve([
      served === undefined
        ? undefined
        : ({
            pod: name,
            tables: { 80: { v1: 100 - served, v2: served } },
          } as unknown as EnvoyRoutes),
    ]);
  });
  const podsWithProxy = () => {
    const [list = now, ...rest] = next;
    next = rest;
    // A name such as `a!` is of a pod that is not ready.
    now = Object.fromEntries(
      Object.entries(list).map(([name, proxy]) => [name.replace("!", ""), proxy]),
    );
    return Promise.resolve(
      Object.keys(list).map((name) => podOf(name.replace("!", ""), 0, !name.endsWith("!"))),
    );
  };
  return { asked, cluster: { name: "cluster-a", podsWithProxy } as unknown as ClusterClient };
}

const cluster = (proxies: Readonly<Record<string, Proxy>>) => changing(proxies).cluster;
const silent = new Error("no answer within 10 s");

describe("confirmWeight", () => {
  it("gives the routes of every Envoy that has some, once all serve the weight", async () => {
    const routes = await confirmWeight(cluster({ a: 10, gateway: undefined, b: 10 }), expected, 50);
    expect(routes.map(({ pod }) => pod)).toEqual(["a", "b"]);
  });

  it("waits for every port of an Envoy", async () => {
    const one = cluster({ a: 10 });
    vi.mocked(routesOfAll).mockResolvedValue([
      { tables: { 80: { v2: 10 }, 9090: { v2: 0 } } } as unknown as EnvoyRoutes,
    ]);
    await expect(confirmWeight(one, expected, 50)).rejects.toThrow("user/a serves 0 % on 9090");
  });

  it("does not take an Envoy that is behind for gone when it is not ready any more", async () => {
    const { cluster: flaps } = changing({ a: 10, b: 0 }, { a: 10, "b!": 0 });
    await expect(confirmWeight(flaps, expected, 500)).rejects.toThrow("user/b serves 0 %");
  });

  it("asks none that was never ready", async () => {
    const { cluster: starting, asked } = changing({ a: 10, "b!": 0 });
    await confirmWeight(starting, expected, 500);
    expect(asked).toEqual(["a"]);
  });

  it("asks the others again while one does not answer", async () => {
    const { cluster: hangs, asked } = changing({ a: 0, b: 10 }, { a: 10, b: 10 });
    const answer = vi.mocked(routesOfAll).getMockImplementation();
    vi.mocked(routesOfAll).mockImplementation(async (...args) => {
      const isFirst = args[1].metadata?.name === "b" && !asked.includes("b");
      const served = (await answer?.(...args)) ?? [];
      if (isFirst) await new Promise<never>(() => undefined);
      return served;
    });
    const routes = await confirmWeight(hangs, expected, 900);
    expect(routes).toHaveLength(2);
  });

  it("says why the pods cannot be listed", async () => {
    const refused = {
      podsWithProxy: () =>
        Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })),
    };
    await expect(
      confirmWeight({ name: "cluster-a", ...refused } as unknown as ClusterClient, expected, 50),
    ).rejects.toThrow("its pods cannot be listed (connect ECONNREFUSED)");
  });

  it("names every Envoy that serves another weight, and every one that does not answer", async () => {
    const some = cluster({ a: 10, b: 0, c: silent });
    await expect(confirmWeight(some, expected, 50)).rejects.toThrow(
      "timed out after 0.05 s waiting for every Envoy of cluster-a to serve v2 at 10 %: user/b serves 0 %, user/c does not answer (no answer within 10 s)",
    );
  });

  it("may succeed in a moment where nobody is behind, and only answers are missing", async () => {
    const late = new Late("no answer within 10 s");
    const failureOf = (proxies: Readonly<Record<string, Proxy>>) =>
      confirmWeight(cluster(proxies), expected, 50).catch((error: unknown) => error);
    expect(isTransient(await failureOf({ a: 10, c: late }))).toBe(true);
    expect(isTransient(await failureOf({ a: 10, b: 0, c: late }))).toBe(false);
  });

  it("remembers who has confirmed, and asks only the others and the new", async () => {
    const { cluster: busy, asked } = changing(
      { a: 10, b: 0 },
      { a: 10, b: 10, c: 0 },
      { a: 10, b: 10, c: 10 },
    );
    const routes = await confirmWeight(busy, expected, 5_000);
    expect(routes.map(({ pod }) => pod)).toEqual(["a", "b", "c"]);
    expect(asked).toEqual(["a", "b", "b", "c", "c"]);
  });

  it("ends where pods are replaced all the time, with those that are there", async () => {
    const { cluster: busy } = changing({ a: 10, job1: silent, b: 10 }, { a: 10, job2: 0, b: 10 });
    const routes = await confirmWeight(busy, expected, 50);
    expect(routes.map(({ pod }) => pod)).toEqual(["a", "b"]);
  });

  it("gives no routes of a pod that has confirmed and is gone", async () => {
    const { cluster: busy } = changing({ a: 10, b: 0 }, { b: 10 });
    const routes = await confirmWeight(busy, expected, 5_000);
    expect(routes.map(({ pod }) => pod)).toEqual(["b"]);
  });

  it("asks again an Envoy that has no route yet", async () => {
    const { cluster: busy, asked } = changing({ a: undefined, b: 0 }, { a: 10, b: 10 });
    const routes = await confirmWeight(busy, expected, 5_000);
    expect(routes.map(({ pod }) => pod)).toEqual(["a", "b"]);
    expect(asked).toEqual(["a", "b", "a", "b"]);
  });

  it("asks again a proxy that was restarted", async () => {
    const pods = [
      [podOf("a"), podOf("b")],
      [podOf("a", 1), podOf("b")],
    ];
    const asked: string[] = [];
    vi.mocked(routesOfAll).mockImplementation((_cluster, pod) => {
      const name = pod.metadata?.name ?? "";
      asked.push(name);
      const v2 = name === "b" && asked.length === 2 ? 0 : 10;
      return Promise.resolve([{ pod: name, tables: { 80: { v2 } } } as unknown as EnvoyRoutes]);
    });
    const podsWithProxy = () => Promise.resolve(pods.shift() ?? []);
    const restarting = { name: "cluster-a", podsWithProxy } as unknown as ClusterClient;
    await confirmWeight(restarting, expected, 5_000);
    expect(asked).toEqual(["a", "b", "a", "b"]);
  });
});

describe("confirmWeights", () => {
  const other = { hosts: ["cart.shop.svc.cluster.local"], canary: "v3", weight: 30 };
  const serving = (v2: number, v3?: number) => [
    { pod: "a", tables: { 80: { v2 } } } as unknown as EnvoyRoutes,
    v3 === undefined ? undefined : ({ pod: "a", tables: { 80: { v3 } } } as unknown as EnvoyRoutes),
  ];

  it("asks each Envoy once for all services, and says which is behind", async () => {
    const { cluster: one } = changing({ a: 10 });
    vi.mocked(routesOfAll).mockReset().mockResolvedValue(serving(10, 0));
    await expect(confirmWeights(one, [expected, other], { timeoutMs: 50 })).rejects.toThrow(
      "waiting for every Envoy of cluster-a to serve v2 at 10 % and v3 at 30 %: user/a serves 0 % for cart.shop.svc.cluster.local",
    );
    vi.mocked(routesOfAll).mockReset().mockResolvedValue(serving(10, 30));
    const { routes } = await confirmWeights(one, [expected, other], { timeoutMs: 50 });
    expect(routes.map((each) => each.length)).toEqual([1, 1]);
    expect(routesOfAll).toHaveBeenCalledTimes(1);
    expect(routesOfAll).toHaveBeenCalledWith(one, expect.anything(), [expected.hosts, other.hosts]);
  });

  it("asks again an Envoy that has the route of one service and not yet that of the other", async () => {
    const { cluster: one } = changing({ a: 10, b: 10 });
    vi.mocked(routesOfAll)
      .mockReset()
      .mockResolvedValueOnce(serving(10))
      .mockResolvedValueOnce(serving(0, 30))
      .mockResolvedValue(serving(10, 30));
    const { routes } = await confirmWeights(one, [expected, other], { timeoutMs: 5_000 });
    expect(routes.map((each) => each.length)).toEqual([2, 2]);
    expect(routesOfAll).toHaveBeenCalledTimes(4);
  });

  it("asks nobody where nothing is expected", async () => {
    const none = {} as ClusterClient;
    expect(await confirmWeights(none, [], { timeoutMs: 50 })).toMatchObject({ routes: [] });
  });
});

describe("confirmRules", () => {
  const host = "order-service.shop.svc.cluster.local";
  const rules = {
    key: "shop/order-service",
    hosts: [host],
    rules: [{ name: "all", route: [{ destination: { host, subset: "v1" } }] }],
  };
  const held = (version: string) => ({
    host: {
      name: host,
      domains: [host],
      routes: [{ name: "all", match: {}, route: { cluster: `outbound|80|${version}|${host}` } }],
    },
  });
  const withPods = (...lists: (readonly string[])[]) => {
    const podsWithProxy = () => {
      const [now = [], ...rest] = lists;
      if (rest.length > 0) lists = rest;
      return Promise.resolve(now.map((name) => podOf(name)));
    };
    return { name: "cluster-a", podsWithProxy } as unknown as ClusterClient;
  };

  it("names every Envoy that has other rules, and every one that does not answer", async () => {
    vi.mocked(virtualHostsOf).mockImplementation((_cluster, { metadata }) => {
      if (metadata?.name === "silent") return Promise.reject(silent);
      return Promise.resolve(metadata?.name === "old" ? held("v2") : held("v1"));
    });
    const some = withPods(["client", "old", "silent"]);
    await expect(confirmRules(some, [rules], { timeoutMs: 50 })).rejects.toThrow(
      "every Envoy of cluster-a to have the rules of shop/order-service: user/old still has the old routes of shop/order-service, user/silent does not answer (no answer within 10 s)",
    );
  });

  it("does not miss a pod that is gone, and asks only those again that have not confirmed", async () => {
    const asked: (string | undefined)[] = [];
    vi.mocked(virtualHostsOf).mockImplementation((_cluster, { metadata }) => {
      asked.push(metadata?.name);
      if (metadata?.name === "job") return Promise.reject(silent);
      const isLate = metadata?.name === "late" && asked.length < 4;
      return Promise.resolve(isLate ? held("v2") : held("v1"));
    });
    await confirmRules(withPods(["client", "job", "late"], ["client", "late"]), [rules], {
      timeoutMs: 5_000,
    });
    expect(asked).toEqual(["client", "job", "late", "late"]);
  });
});
