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
