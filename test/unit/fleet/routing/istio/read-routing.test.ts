import { describe, expect, it } from "vitest";
import type { ClusterClient } from "../../../../../fleet/cluster-client.ts";
import { claimsOf } from "../../../../../fleet/routing/istio/read-routing.ts";
import { routingScope } from "../../../../../fleet/routing/istio/routing-scope.ts";

const scope = routingScope(
  { service: "shop", namespace: "user" },
  "cluster.local",
  ["cluster-b"],
  ["shop.example.com"],
);
const OWNED = { "pulumi.com/patchForce": "true" };

/** A cluster with these objects, by the plural of their kind. */
function clusterWith(objects: Readonly<Record<string, readonly object[]>>): ClusterClient {
  return {
    custom: {
      listCustomObjectForAllNamespaces: ({ resourcePlural }: { resourcePlural: string }) =>
        Promise.resolve({ items: objects[resourcePlural] ?? [] }),
    },
  } as unknown as ClusterClient;
}
const object = (name: string, spec: object, namespace = "user", annotations = {}) => ({
  metadata: { name, namespace, annotations },
  spec,
});

describe("what routes a service already", () => {
  it("is every object of others that names one of its hosts, by a short name too", async () => {
    const cluster = clusterWith({
      virtualservices: [
        object("flagger", { hosts: ["shop"] }),
        object("api", { hosts: ["shop.example.com"] }, "web"),
        object("far", { hosts: ["shop"] }, "web"),
      ],
      destinationrules: [object("tls", { host: "shop.user.svc.cluster.local" }, "istio-system")],
    });
    expect(await claimsOf(cluster, scope)).toEqual([
      "VirtualService user/flagger",
      "VirtualService web/api",
      "DestinationRule istio-system/tls",
    ]);
  });

  it("is not what has the names of the program's own, where these are adopted", async () => {
    const cluster = clusterWith({
      virtualservices: [
        object("shop", { hosts: ["shop"] }),
        object("flagger", { hosts: ["shop"] }),
        object("shop", { hosts: ["shop.user.svc.cluster.local"] }, "web"),
      ],
      destinationrules: [
        object("shop", { host: "shop" }),
        object("shop-cluster-b", { host: "shop.user.cluster-b.mesh" }),
      ],
      // Of the program's name, but for a host that is none of its own.
      serviceentries: [object("shop-cluster-b", { hosts: ["shop.user.cluster-b.mesh", "b.com"] })],
    });
    const others = [
      "VirtualService user/flagger",
      "VirtualService web/shop",
      "ServiceEntry user/shop-cluster-b",
    ];
    expect(await claimsOf(cluster, scope, true)).toEqual(others);
    expect(await claimsOf(cluster, scope)).toHaveLength(others.length + 3);
  });

  it("is a wildcard of others that covers it in the mesh", async () => {
    const cluster = clusterWith({
      virtualservices: [
        object("all", { hosts: ["*"] }, "web"),
        object("space", { hosts: ["*.user.svc.cluster.local"], gateways: ["mesh", "web/g"] }),
        object("far", { hosts: ["*.web.svc.cluster.local"] }),
        object("outside", { hosts: ["*"], gateways: ["web/g"] }),
      ],
      destinationrules: [
        object("pool", { host: "*.local", trafficPolicy: { connectionPool: {} } }, "web"),
        object("egress", { host: "*.example.com" }, "web"),
      ],
      serviceentries: [object("egress", { hosts: ["*"] })],
    });
    expect(await claimsOf(cluster, scope)).toEqual([
      "VirtualService web/all (by its host *)",
      "VirtualService user/space (by its host *.user.svc.cluster.local)",
      "DestinationRule web/pool (by its host *.local)",
    ]);
  });

  it("is no rule for the mesh's own mTLS, save in a client's namespace", async () => {
    const spec = { host: "*.local", trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } } };
    const none = { host: "*.local", trafficPolicy: { tls: { mode: "DISABLE" } } };
    const destinationrules = [
      object("default", spec, "istio-system"),
      object("default", spec, "web"),
      object("none", none, "istio-system"),
    ];
    expect(await claimsOf(clusterWith({ destinationrules }), scope)).toEqual([
      "DestinationRule web/default (by its host *.local)",
      "DestinationRule istio-system/none (by its host *.local)",
    ]);
  });

  const toApi = [{ destination: { host: "api.web.svc.cluster.local" } }];
  const first = { match: [{ uri: { prefix: "/api" } }, { uri: { exact: "/" } }], route: toApi };
  const api = {
    hosts: ["shop.example.com"],
    gateways: ["istio-ingress/gateway"],
    http: [first, { match: [{ uri: { exact: "/old" } }], redirect: { uri: "/new" } }],
  };

  it("is no path that others have on its host of the gateway", async () => {
    const cluster = clusterWith({ virtualservices: [object("api", api, "web")] });
    expect(await claimsOf(cluster, scope)).toEqual([]);
  });

  const toShop = [{ destination: { host: "shop.user.svc.cluster.local" } }];
  it.each([
    ["the mesh too", { ...api, gateways: ["mesh", "istio-ingress/gateway"] }],
    ["the mesh alone", { ...api, gateways: undefined }],
    ["a host of the mesh", { ...api, hosts: [...api.hosts, "shop.user.svc.cluster.local"] }],
    ["any path", { ...api, http: [{ ...first, match: [{ uri: { prefix: "/" } }] }] }],
    ["any request", { ...api, http: [first, { route: toApi }] }],
    ["any path with a header", { ...api, http: [{ ...first, match: [{ headers: {} }] }] }],
    ["a pattern of paths", { ...api, http: [{ ...first, match: [{ uri: { regex: "/a.*" } }] }] }],
    ["a path to the service itself", { ...api, http: [{ ...first, route: toShop }] }],
    ["a path whose rules are elsewhere", { ...api, http: [{ ...first, delegate: {} }] }],
    ["a path that is mirrored", { ...api, http: [{ ...first, mirror: {} }] }],
    ["TLS that is passed through", { ...api, tls: [] }],
  ])("is what others have for %s", async (_, spec) => {
    const cluster = clusterWith({ virtualservices: [object("api", spec, "web")] });
    expect(await claimsOf(cluster, scope)).toEqual(["VirtualService web/api"]);
  });

  it("is no other service of the program's, with paths of a host that they share", async () => {
    const theirs = {
      hosts: ["api.web.svc.cluster.local", "shop.example.com"],
      gateways: ["mesh", "istio-ingress/gateway"],
    };
    const claims = async (annotations: object, isShared: boolean, spec: object = theirs) =>
      claimsOf(
        clusterWith({ virtualservices: [object("api", spec, "web", annotations)] }),
        isShared ? { ...scope, shared: ["shop.example.com"] } : scope,
      );
    expect(await claims(OWNED, true)).toEqual([]);
    expect(await claims(OWNED, false)).toEqual(["VirtualService web/api"]);
    expect(await claims({}, true)).toEqual(["VirtualService web/api"]);
    const inner = { ...theirs, hosts: [...theirs.hosts, "shop.user.svc.cluster.local"] };
    expect(await claims(OWNED, true, inner)).toEqual(["VirtualService web/api"]);
  });

  it("is one with the name of this program's, unless an update has left it behind", async () => {
    const host = { host: "shop.user.svc.cluster.local" };
    expect(
      await claimsOf(clusterWith({ destinationrules: [object("shop", host)] }), scope),
    ).toEqual(["DestinationRule user/shop"]);
    const own = clusterWith({
      virtualservices: [object("shop", { hosts: [] }, "user", OWNED)],
      destinationrules: [object("shop", host, "user", OWNED)],
      serviceentries: [object("shop-cluster-b", { hosts: [] }, "user", OWNED)],
    });
    expect(await claimsOf(own, scope)).toEqual([]);
  });
});
