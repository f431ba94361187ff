import type { V1ControllerRevision } from "@kubernetes/client-node";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../../fleet/cluster-client.ts";
import { virtualHostsOf } from "../../../../fleet/routing/istio/envoy.ts";
import { readRouting } from "../../../../fleet/routing/istio/read-routing.ts";
import { readRecord, recordRouting } from "../../../../fleet/records/routing-records.ts";
import { routingScope } from "../../../../fleet/routing/istio/routing-scope.ts";

vi.mock(import("../../../../fleet/routing/istio/envoy.ts"), async (original) => ({
  ...(await original()),
  virtualHostsOf: vi.fn<typeof virtualHostsOf>(),
}));

const scope = routingScope(
  { service: "user-service", namespace: "user" },
  "cluster.local",
  ["cluster-b"],
  ["user.example.com"],
);
const host = "user-service.user.svc.cluster.local";

interface FakeObject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly spec: object;
}
const own: readonly FakeObject[] = [
  {
    kind: "virtualservices",
    name: "user-service",
    spec: {
      hosts: [host],
      http: [{ name: "all", route: [{ destination: { host, subset: "v1" } }] }],
    },
  },
  { kind: "destinationrules", name: "user-service", spec: { host, subsets: [{ name: "v1" }] } },
  { kind: "destinationrules", name: "user-service-cluster-b", spec: { host: "b.mesh" } },
  {
    kind: "serviceentries",
    name: "user-service-cluster-b",
    spec: { hosts: ["user-service.user.cluster-b.mesh"], endpoints: [{ address: "203.0.113.2" }] },
  },
];
const pod = (name: string, workload: string, container: string) => ({
  metadata: { name, namespace: "user", labels: { "service.istio.io/canonical-name": workload } },
  spec: { containers: [{ name: container }] },
});
const routes = (to: string) => ({
  "80/host": {
    name: host,
    domains: [host],
    routes: [{ name: "all", match: {}, route: { cluster: `outbound|80|${to}|${host}` } }],
  },
});

/** A cluster with these objects and pods, which keeps ControllerRevisions. */
function fake(objects: readonly FakeObject[] = own) {
  const kept: V1ControllerRevision[] = [];
  const cluster = {
    name: "cluster-a",
    proxies: () =>
      Promise.resolve([pod("client-1", "client", "app"), pod("client-2", "client", "app")]),
    custom: {
      listCustomObjectForAllNamespaces: ({ resourcePlural }: { resourcePlural: string }) =>
        Promise.resolve({
          items: objects
            .filter(({ kind }) => kind === resourcePlural)
            .map(({ name, namespace = "user", spec }) => ({ metadata: { name, namespace }, spec })),
        }),
      getNamespacedCustomObject: () =>
        Promise.resolve({ metadata: { name: "user-service", uid: "uid-1" } }),
    },
    apps: {
      listNamespacedControllerRevision: () => Promise.resolve({ items: [...kept] }),
      createNamespacedControllerRevision: ({ body }: { body: V1ControllerRevision }) => {
        kept.push(structuredClone(body));
        return Promise.resolve();
      },
      replaceNamespacedControllerRevision: ({
        name,
        body,
      }: {
        name: string;
        body: V1ControllerRevision;
      }) => {
        kept.splice(
          kept.findIndex(({ metadata }) => metadata?.name === name),
          1,
          body,
        );
        return Promise.resolve();
      },
      deleteNamespacedControllerRevision: ({ name }: { name: string }) => {
        kept.splice(
          kept.findIndex(({ metadata }) => metadata?.name === name),
          1,
        );
        return Promise.resolve();
      },
    },
  };
  return { cluster: cluster as unknown as ClusterClient, kept };
}

const by = "me@here";
const record = (cluster: ClusterClient, digest: string) =>
  recordRouting(cluster, scope, { digest, by }, 2_000);

beforeEach(() => {
  vi.mocked(virtualHostsOf).mockReset().mockResolvedValue(routes("v1"));
});

describe("the routing of a service in a cluster", () => {
  it("is the specs of its objects and what its Envoys hold, each value once", async () => {
    const { objects, envoys, envoyCount, strays } = await readRouting(fake().cluster, scope);
    expect(Object.keys(objects)).toEqual([
      "VirtualService/user-service",
      "DestinationRule/user-service",
      "DestinationRule/user-service-cluster-b",
      "ServiceEntry/user-service-cluster-b",
    ]);
    expect(envoys).toEqual([{ of: ["sidecar of user/client"], virtualHosts: routes("v1") }]);
    expect([envoyCount, strays]).toEqual([2, []]);
  });

  it("is told by the pods that are there: one that goes meanwhile is not missed", async () => {
    const { cluster } = fake();
    vi.mocked(virtualHostsOf).mockImplementation((_, { metadata }) =>
      metadata?.name === "client-1"
        ? Promise.reject(new Error("cannot reach user/client-1:15000"))
        : Promise.resolve(routes("v1")),
    );
    await expect(readRouting(cluster, scope)).rejects.toThrow("cannot reach user/client-1:15000");
    const both = await cluster.proxies();
    const proxies = vi.fn<ClusterClient["proxies"]>().mockResolvedValue(both.slice(1));
    proxies.mockResolvedValueOnce(both);
    const { envoys, envoyCount } = await readRouting(Object.assign(cluster, { proxies }), scope);
    expect(envoys).toEqual([{ of: ["sidecar of user/client"], virtualHosts: routes("v1") }]);
    expect(envoyCount).toBe(1);
  });

  it("does not depend on where the other cluster's gateway is", async () => {
    const { objects } = await readRouting(fake().cluster, scope);
    expect(objects["ServiceEntry/user-service-cluster-b"]).toEqual({
      hosts: ["user-service.user.cluster-b.mesh"],
    });
  });

  it("does not depend on whether the other cluster's gateway is reached by name", async () => {
    const reached = async (resolution: string) => {
      const objects = own.map((each) => ({ ...each, spec: { ...each.spec, resolution } }));
      return (await readRouting(fake(objects).cluster, scope)).objects[
        "ServiceEntry/user-service-cluster-b"
      ];
    };
    expect(await reached("DNS")).toEqual(await reached("STATIC"));
    expect(await reached("NONE")).not.toEqual(await reached("STATIC"));
  });

  it.each([
    { kind: "virtualservices", name: "other", namespace: "shop", spec: { hosts: [host] } },
    { kind: "destinationrules", name: "other", spec: { host: "user-service" } },
    {
      kind: "destinationrules",
      name: "other",
      namespace: "shop",
      spec: { host: "user-service.user" },
    },
    { kind: "serviceentries", name: "user-service", namespace: "shop", spec: { hosts: [host] } },
  ])("has a stray in $kind $namespace/$name of $spec", async (stray) => {
    const { strays } = await readRouting(fake([...own, stray]).cluster, scope);
    expect(strays).toEqual([
      expect.stringContaining(` ${stray.namespace ?? "user"}/${stray.name}`),
    ]);
  });

  describe("beside paths of a host that are others'", () => {
    const shared = { ...scope, hosts: [...scope.hosts, "x.com"], shared: ["x.com"] };
    const to = { destination: { host: "api.shop.svc.cluster.local" } };
    const gateway = { gateways: ["edge/public"] };
    /** As `release eject` leaves a service with ingressPaths. */
    const api = (match: object, target: object = to) => ({
      ...{ kind: "virtualservices", name: "api", namespace: "shop" },
      spec: {
        hosts: ["api.shop.svc.cluster.local", "x.com"],
        gateways: ["mesh", "edge/public"],
        http: [
          { match: [{ authority: { prefix: "api.shop.cluster-b.mesh" } }], route: [to] },
          { match: [match], route: [target] },
          { match: [{ gateways: ["mesh"], withoutHeaders: {} }], route: [to] },
        ],
      },
    });
    const straysWith = async (stray: FakeObject) =>
      (await readRouting(fake([...own, stray]).cluster, shared)).strays;

    it("has no stray in a service with these paths that was handed back", async () => {
      expect(await straysWith(api({ ...gateway, uri: { prefix: "/api" } }))).toEqual([]);
    });

    it.each([
      ["any path", api(gateway)],
      ["any path, written as one", api({ ...gateway, uri: { prefix: "/" } })],
      ["this service", api({ ...gateway, uri: { prefix: "/api" } }, { destination: { host } })],
    ])("has one in rules for %s", async (_, stray) => {
      expect(await straysWith(stray)).toEqual(["VirtualService shop/api"]);
    });
  });

  it("has nothing to do with another service of the same name", async () => {
    const other = {
      kind: "destinationrules",
      name: "x",
      namespace: "shop",
      spec: { host: "user-service" },
    };
    expect((await readRouting(fake([...own, other]).cluster, scope)).strays).toEqual([]);
  });
});

describe("a record", () => {
  it("is found by the state's digest, and belongs to the VirtualService", async () => {
    const { cluster, kept } = fake();
    await record(cluster, "d1");
    expect(kept[0]?.metadata).toMatchObject({
      name: "user-service-d1",
      labels: { app: "user-service" },
      ownerReferences: [{ kind: "VirtualService", uid: "uid-1", controller: true }],
    });
    const found = await readRecord(cluster, scope, "d1");
    expect(found).toMatchObject({ by, envoys: [{ virtualHosts: routes("v1") }] });
    expect(await readRecord(cluster, scope, "d2")).toBeUndefined();
  });

  it("stays what it was when its state comes again, and is the newest then", async () => {
    const { cluster, kept } = fake();
    await record(cluster, "d1");
    await record(cluster, "d2");
    const first = structuredClone(kept[0]?.data as object);
    vi.mocked(virtualHostsOf).mockResolvedValue(routes("v2"));
    await record(cluster, "d1");
    expect(kept.map(({ metadata, revision }) => [metadata?.name, revision])).toEqual([
      ["user-service-d1", 3],
      ["user-service-d2", 2],
    ]);
    expect(kept[0]?.data).toEqual(first);
  });

  it("waits for the Envoys, and is not written when one does not follow", async () => {
    const { cluster, kept } = fake();
    vi.mocked(virtualHostsOf).mockResolvedValue(routes("v2"));
    await expect(record(cluster, "d1")).rejects.toThrow("not served yet by sidecar of user/client");
    expect(kept).toEqual([]);
  });

  it("is one of twenty: the one that was left longest ago goes", async () => {
    const { cluster, kept } = fake();
    for (let i = 1; i <= 20; i++) await record(cluster, `d${i}`);
    await record(cluster, "d1");
    await record(cluster, "d21");
    expect(kept).toHaveLength(20);
    expect(kept.map(({ metadata }) => metadata?.name)).not.toContain("user-service-d2");
  });
});
