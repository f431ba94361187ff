import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";
import { subsets } from "../../../fleet/checks/subsets.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmRules } from "../../../fleet/confirm-rules.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
import { endpointsOf } from "../../../fleet/endpoints.ts";
import { isOnLostNode } from "../../../fleet/left-out.ts";
import type { EnvoyRoutes } from "../../../fleet/routing/cluster-routing.ts";
import { routesOfAll, virtualHostsOf } from "../../../fleet/routing/istio/envoy.ts";
import { allOfThem, everyone, type WhoCounts } from "../../../lib/who-counts.ts";
import { checkLimits } from "../../helpers/check-limits.ts";

vi.mock(import("../../../fleet/routing/istio/envoy.ts"), async (original) => ({
  ...(await original()),
  routesOfAll: vi.fn<typeof routesOfAll>(),
  virtualHostsOf: vi.fn<typeof virtualHostsOf>(),
}));
vi.mock(import("../../../fleet/endpoints.ts"), () => ({
  endpointsOf: vi.fn<typeof endpointsOf>(),
}));

/** What a proxy does when it is asked: serves a weight, has no route, or does not answer. */
interface Proxy {
  readonly serves: number | undefined | Error;
  readonly gateway?: boolean;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly revision?: string;
  /** Whether its node is lost. */
  readonly lost?: boolean;
}

const HOST = "user-service.user.svc.cluster.local";
const SUBSET = `outbound|80|v2|${HOST}`;
const expected = { hosts: [HOST], canary: "v2", weight: 10 };
const silent = new Error("no answer");
const percent = (of: number): WhoCounts => ({ ...everyone, percent: of });

function podOf(name: string, { gateway, namespace, labels, revision, lost }: Proxy): V1Pod {
  const containers = [{ name: "istio-proxy" }, ...(gateway === true ? [] : [{ name: "app" }])];
  return {
    metadata: {
      ...{ name, namespace: namespace ?? "user", uid: `uid of ${name}`, labels: labels ?? {} },
      ...(revision !== undefined && { annotations: { "istio.io/rev": revision } }),
    },
    spec: { containers },
    status: {
      conditions: [
        { type: "Ready", status: lost === true ? "False" : "True" },
        { type: "ContainersReady", status: "True" },
      ],
      containerStatuses: [
        { name: "istio-proxy", restartCount: 0, ready: true, image: "", imageID: "" },
      ],
    },
  };
}

/** A cluster of these proxies. */
function clusterOf(proxies: Readonly<Record<string, Proxy>>): ClusterClient {
  const served = (pod: V1Pod) => proxies[pod.metadata?.name ?? ""]?.serves;
  vi.mocked(routesOfAll).mockImplementation((_cluster, pod) => {
    const weight = served(pod);
    if (weight instanceof Error) return Promise.reject(weight);
    const tables = { 80: { v1: 100 - (weight ?? 0), v2: weight } };
    const { name = "" } = pod.metadata ?? {};
    return Promise.resolve([
      weight === undefined
        ? undefined
        : ({ pod: name, cluster: "cluster-a", tables } as unknown as EnvoyRoutes),
    ]);
  });
  vi.mocked(virtualHostsOf).mockImplementation((_cluster, pod) => {
    const weight = served(pod);
    if (weight instanceof Error) return Promise.reject(weight);
    return Promise.resolve(
      weight === undefined ? {} : { 80: { name: "80", domains: [HOST], routes: [] } },
    );
  });
  vi.mocked(endpointsOf).mockImplementation((_cluster, pod) => {
    const endpoint = { address: "10.0.0.1", port: 80, requests: 0 };
    // One that serves 0 % lacks the subset, one that serves 1 % its endpoints.
    const healthy = served(pod) !== 1;
    return Promise.resolve(
      new Map(served(pod) === 0 ? [] : [[SUBSET, [{ ...endpoint, healthy }]]]),
    );
  });
  const pods = Object.entries(proxies).map(([name, proxy]) => podOf(name, proxy));
  const istiod = { metadata: { name: "istiod", labels: { "istio.io/rev": "stable" } } };
  return {
    name: "cluster-a",
    proxies: () => Promise.resolve(pods),
    podsWithProxy: () => Promise.resolve(pods),
    runningPods: () => Promise.resolve([istiod]),
  } as unknown as ClusterClient;
}

const sidecars = (count: number): Record<string, Proxy> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`client-${i}`, { serves: 10 }]));
const confirm = async (proxies: Readonly<Record<string, Proxy>>, who: WhoCounts) =>
  confirmWeights(clusterOf(proxies), [expected], { timeoutMs: 50, who });

describe("a confirmation that a percentage is enough for", () => {
  it("leaves out and names those that have not confirmed in time", async () => {
    const proxies = { ...sidecars(98), stuck: { serves: 0 }, frozen: { serves: silent } };
    const { leftOut, routes } = await confirm(proxies, percent(98));
    expect(routes.flat()).toHaveLength(98);
    expect(leftOut).toBe(
      "2 of 100 that have not confirmed, where 98 % are enough (user/frozen does not answer (no answer), user/stuck serves 0 %)",
    );
  });

  it("says nothing where all have confirmed", async () => {
    expect(await confirm(sidecars(3), percent(98))).not.toHaveProperty("leftOut");
  });

  it("fails where more have not", async () => {
    await expect(
      confirm({ ...sidecars(99), stuck: { serves: 0 } }, percent(99)),
    ).resolves.toBeDefined();
    await expect(confirm({ ...sidecars(98), stuck: { serves: 0 } }, percent(99))).rejects.toThrow(
      "timed out after 0.05 s waiting for every Envoy of cluster-a to serve v2 at 10 %: user/stuck serves 0 %; 99 % must confirm, and 1 of 99 have not",
    );
  });

  it("counts only proxies that the change concerns", async () => {
    const others = Object.fromEntries(
      Array.from({ length: 98 }, (_, i) => [`other-${i}`, { serves: undefined }]),
    );
    await expect(
      confirm({ ...others, "client-0": { serves: 10 }, stuck: { serves: 0 } }, percent(98)),
    ).rejects.toThrow("98 % must confirm, and 1 of 2 have not");
  });

  it("leaves out no gateway", async () => {
    const proxies = { ...sidecars(99), ingress: { serves: silent, gateway: true } };
    await expect(confirm(proxies, percent(98))).rejects.toThrow(
      "user/ingress does not answer (no answer); every gateway must confirm, and user/ingress has not",
    );
  });

  it("leaves no cluster in which nobody has shown the weight", async () => {
    const cluster = clusterOf({ ...sidecars(99), stuck: { serves: 0 } });
    const shown = vi.mocked(routesOfAll).getMockImplementation();
    // Nobody who answers has a route to the second service.
    vi.mocked(routesOfAll).mockImplementation(async (...args) => [
      ...((await shown?.(...args)) ?? []),
      undefined,
    ]);
    const cart = { ...expected, hosts: ["cart.user.svc.cluster.local"] };
    await expect(
      confirmWeights(cluster, [expected, cart], { timeoutMs: 50, who: percent(98) }),
    ).rejects.toThrow("no Envoy that was asked has routes of cart.user.svc.cluster.local");
  });

  it("holds for weights alone: all must have the rules before a version goes", async () => {
    const cluster = clusterOf({ ...sidecars(99), stuck: { serves: silent } });
    const rules = { key: "user/user-service", hosts: [HOST], rules: [] };
    await expect(
      confirmRules(cluster, [rules], { timeoutMs: 50, who: allOfThem(percent(98)) }),
    ).rejects.toThrow("user/stuck does not answer (no answer)");
  });
});

describe("a sidecar that the configuration excludes", () => {
  it("is not asked, by namespace, labels or both", async () => {
    const exclude = [
      { namespace: "batch" },
      { labels: { mesh: "other" } },
      { namespace: "user", labels: { a: "1", b: "2" } },
    ];
    const proxies = {
      one: { serves: 10, labels: { a: "1" } },
      two: { serves: 0, namespace: "batch" },
      three: { serves: silent, namespace: "shop", labels: { mesh: "other" } },
      four: { serves: 0, labels: { a: "1", b: "2", c: "3" } },
    };
    const { leftOut, routes } = await confirm(proxies, { ...everyone, exclude });
    expect(routes.flat()).toHaveLength(1);
    expect(leftOut).toBe("3 that safety.exclude names");
    await expect(
      confirm({ five: { serves: 0, labels: { a: "1" } } }, { ...everyone, exclude }),
    ).rejects.toThrow("user/five serves 0 %");
  });

  it("is no gateway", async () => {
    const ingress = { serves: 0, gateway: true, namespace: "batch" };
    await expect(
      confirm({ ingress }, { ...everyone, exclude: [{ namespace: "batch" }] }),
    ).rejects.toThrow("batch/ingress serves 0 %");
  });
});

describe("a pod on a lost node", () => {
  const lost = { serves: silent, lost: true };

  it("is known by its Ready alone, which nobody but the node's controller takes from it", () => {
    const pod = (ready: string, containers: string, gate?: string): V1Pod => ({
      spec: {
        containers: [],
        ...(gate !== undefined && { readinessGates: [{ conditionType: "gate" }] }),
      },
      status: {
        conditions: [
          { type: "Ready", status: ready },
          { type: "ContainersReady", status: containers },
          ...(gate === undefined ? [] : [{ type: "gate", status: gate }]),
        ],
      },
    });
    expect(isOnLostNode(pod("False", "True"))).toBe(true);
    expect(isOnLostNode(pod("False", "True", "True"))).toBe(true);
    expect(isOnLostNode(pod("False", "True", "False"))).toBe(false);
    expect(isOnLostNode(pod("False", "False"))).toBe(false);
    expect(isOnLostNode(pod("True", "True"))).toBe(false);
    expect(isOnLostNode({})).toBe(false);
  });

  it("is left out and named, whatever the percentage", async () => {
    const { leftOut } = await confirm({ ...sidecars(1), gone: lost }, everyone);
    expect(leftOut).toBe("1 on lost nodes (user/gone)");
  });

  it("counts where nobody else shows the weight", async () => {
    await expect(confirm({ other: { serves: undefined }, gone: lost }, everyone)).rejects.toThrow(
      `no Envoy that answers has routes of ${HOST}, and user/gone on lost nodes may have`,
    );
  });

  it("counts if it is a gateway", async () => {
    await expect(
      confirm({ ...sidecars(1), ingress: { ...lost, gateway: true } }, everyone),
    ).rejects.toThrow("user/ingress does not answer (no answer)");
  });

  it("counts before a version goes", async () => {
    await expect(confirm({ ...sidecars(1), gone: lost }, allOfThem(everyone))).rejects.toThrow(
      "user/gone does not answer (no answer)",
    );
  });
});

describe("a proxy of another revision", () => {
  it("counts, and is named as such where it has not confirmed", async () => {
    const old = { serves: 0, revision: "old" };
    await expect(
      confirm({ old, new: { serves: 0, revision: "stable" } }, everyone),
    ).rejects.toThrow(
      "user/new serves 0 %, user/old serves 0 %; user/old follow revision old, of which no istiod is in istio-system: restart them, or leave them out with safety.exclude if they are of another mesh",
    );
  });
});

describe("the check before a rise", () => {
  const check = async (proxies: Readonly<Record<string, Proxy>>, who: WhoCounts) => {
    const cluster = clusterOf(proxies);
    const canary = { service: "user-service", namespace: "user", canary: "v2", host: HOST };
    const canaries = [{ ...canary, hosts: [HOST] }];
    const limits = { ...checkLimits, who };
    const found = await subsets.run({ cluster, clusters: [cluster], rises: [], canaries, limits });
    return found.map(({ seen }) => seen);
  };

  it("leaves out as many as the confirmation", async () => {
    const proxies = { ...sidecars(98), stuck: { serves: 0 }, frozen: { serves: silent } };
    expect(await check(proxies, percent(98))).toEqual([]);
    expect(await check(proxies, percent(99))).toEqual([
      `the proxy of user/stuck has no ${SUBSET}`,
      "the proxy of user/frozen does not answer (no answer)",
    ]);
  });

  it("leaves out none that would send requests nowhere", async () => {
    expect(await check({ ...sidecars(99), empty: { serves: 1 } }, percent(98))).toEqual([
      `the proxy of user/empty has no healthy endpoint for ${SUBSET}`,
    ]);
  });

  it("does not ask who is excluded, nor who is on a lost node", async () => {
    const proxies = {
      ...sidecars(1),
      gone: { serves: silent, lost: true },
      job: { serves: silent, namespace: "batch" },
    };
    expect(await check(proxies, { ...everyone, exclude: [{ namespace: "batch" }] })).toEqual([]);
  });
});
