import type { V1Deployment } from "@kubernetes/client-node";
import { ApiException } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { canaryRouteObjects } from "../../../components/canary-route.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { readDeployed } from "../../../fleet/read-deployed.ts";

const names = ["cart", "order", "shop"];
const services = names.map((service) => ({ service, namespace: "user" }));

/** A service's VirtualService, as an API server has it. */
function virtualService(service: string, namespace = "user") {
  const { weights } = canaryRouteObjects({
    ...{ service, namespace, stable: "v1", canary: "v2", weight: 10 },
  });
  return { ...weights, metadata: { ...weights.metadata, generation: 1 } };
}

function deployment(app: string, version: string): V1Deployment {
  const containers = [
    { name: "other", image: "other:1" },
    { name: app, image: `${app}:${version}` },
  ];
  const template = { metadata: { labels: { app, version } }, spec: { containers } };
  return { metadata: { labels: { app } }, spec: { selector: {}, template } };
}

interface Listing {
  readonly labelSelector: string;
  readonly limit: number;
  readonly _continue?: string;
}

/** A page of two, as API servers cut a list. */
function page<T>(all: readonly T[], { _continue = "0" }: Listing) {
  const end = Number(_continue) + 2;
  return { items: all.slice(Number(_continue), end), next: end < all.length ? String(end) : "" };
}

/** How fetch tells of a connection that the server has closed just as a request was sent. */
function closedUnder(): Error {
  const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
  return new TypeError("fetch failed", { cause });
}

/** A cluster that has these VirtualServices, of which those without a label appear in no list. */
function fake(
  present = names.map((name) => virtualService(name)),
  refusal?: ApiException<unknown>,
  closed = 0,
) {
  const requests: string[] = [];
  let open = -closed;
  const cluster = {
    name: "cluster-a",
    custom: {
      listCustomObjectForAllNamespaces: (asked: Listing) => {
        requests.push(`list virtualservices ${asked.labelSelector}`);
        if (refusal) return Promise.reject(refusal);
        if (open++ < 0) return Promise.reject(closedUnder());
        const labelled = present.filter(
          ({ metadata }) => asked.labelSelector in (metadata.labels ?? {}),
        );
        const { items, next } = page(labelled, asked);
        return Promise.resolve({ metadata: { continue: next }, items });
      },
      getNamespacedCustomObject: ({ name }: { name: string }) => {
        requests.push(`get virtualservice ${name}`);
        const found = present.find(({ metadata }) => metadata.name === name);
        return found
          ? Promise.resolve(found)
          : Promise.reject(new ApiException(404, "not found", {}, {}));
      },
    },
    apps: {
      listNamespacedDeployment: (asked: Listing) => {
        requests.push(`list deployments ${asked.labelSelector}`);
        const all = names.flatMap((name) => [deployment(name, "v1"), deployment(name, "v2")]);
        const { items, next } = page(all, asked);
        return Promise.resolve({ metadata: { _continue: next }, items });
      },
    },
  };
  return { cluster: cluster as unknown as ClusterClient, requests };
}

const read = async (cluster: ClusterClient, asked = services) => {
  const [found] = await readDeployed([cluster], asked);
  return { ...found, routes: Object.fromEntries(found?.routes ?? []) };
};

describe("what is deployed in a cluster", () => {
  it("is read by lists, page by page, however many services there are", async () => {
    const present = [...names.map((name) => virtualService(name)), virtualService("cart", "other")];
    const { cluster, requests } = fake(present);
    const { unreachable, routes } = await read(cluster);
    expect(unreachable).toBeUndefined();
    expect(Object.keys(routes)).toEqual(["user/cart", "user/order", "user/shop"]);
    expect(routes["user/order"]).toMatchObject({
      ...{ stable: "v1", canary: "v2", weight: 10 },
      images: { v1: "order:v1", v2: "order:v2" },
      pods: { v1: { image: "order:v1" }, v2: { image: "order:v2" } },
    });
    expect(requests.toSorted()).toEqual([
      ...Array<string>(3).fill("list deployments app in (cart,order,shop)"),
      ...Array<string>(2).fill("list virtualservices istio-canary/stable"),
    ]);
  });

  it("is not lost where somebody has taken the labels off, or where it is not there yet", async () => {
    const bare = virtualService("order");
    const unlabelled = { ...bare, metadata: { ...bare.metadata, labels: {} } };
    const { cluster, requests } = fake([virtualService("cart"), unlabelled]);
    const { routes } = await read(cluster);
    expect(Object.keys(routes)).toEqual(["user/cart", "user/order"]);
    expect(requests.filter((each) => each.startsWith("get"))).toEqual([
      "get virtualservice order",
      "get virtualservice shop",
    ]);
  });

  it("is known though somebody has broken another service's routes", async () => {
    const broken = { ...virtualService("cart", "other"), spec: { http: "none" } };
    const { cluster } = fake([...names.map((name) => virtualService(name)), broken]);
    const { unreachable, routes } = await read(cluster);
    expect(unreachable).toBeUndefined();
    expect(Object.keys(routes)).toHaveLength(3);
  });

  it("is read one by one where the user may not list in all namespaces", async () => {
    const { cluster, requests } = fake(undefined, new ApiException(403, "forbidden", {}, {}));
    const { unreachable, routes } = await read(cluster);
    expect(unreachable).toBeUndefined();
    expect(Object.keys(routes)).toEqual(["user/cart", "user/order", "user/shop"]);
    expect(requests.filter((each) => each.startsWith("get"))).toHaveLength(3);
  });

  it("is not known where a list fails for another reason", async () => {
    const failed = new ApiException(500, "failed", { message: "etcd is away" }, {});
    const { unreachable, routes } = await read(fake(undefined, failed).cluster);
    expect([unreachable, routes]).toEqual(["etcd is away", {}]);
  });

  it("is asked once more where it has closed the connection, and not for ever", async () => {
    const once = await read(fake(undefined, undefined, 1).cluster);
    expect(once.unreachable).toBeUndefined();
    const { cluster, requests } = fake(undefined, undefined, 9);
    expect((await read(cluster)).unreachable).toBe("other side closed");
    expect(requests.filter((each) => each.startsWith("list virtualservices"))).toHaveLength(2);
  });

  it("takes no list for one service", async () => {
    const { cluster, requests } = fake();
    await read(cluster, services.slice(0, 1));
    expect(requests).toContain("get virtualservice cart");
    expect(requests.filter((each) => each.startsWith("list virtualservices"))).toEqual([]);
  });
});
