import { describe, expect, it } from "vitest";
import { handBack, parseState, type StackState } from "../../../release/eject/state.ts";

const CLUSTERS = ["cluster-a", "cluster-b"];
const urn = (type: string, name: string) => `urn:pulumi:prod::istio-canary::${type}::${name}`;
const ROUTE = "istio-canary:mesh:CanaryRoute";
const WORKLOAD = "istio-canary:mesh:CanaryWorkload";
const ENTRY = "istio-canary:mesh:CrossClusterServiceEntry";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly parent?: string;
  readonly object?: readonly [kind: string, namespace: string | undefined, name: string];
  readonly more?: object;
}

function resource({ type, name, parent, object, more }: Made) {
  const [kind, namespace, own] = object ?? [];
  return {
    urn: urn(type, name),
    type,
    custom: object !== undefined,
    ...(parent !== undefined && { parent }),
    ...(object && {
      inputs: {
        apiVersion: kind === "VirtualService" ? "networking.istio.io/v1" : "v1",
        kind,
        metadata: { name: own, ...(namespace !== undefined && { namespace }) },
        spec: { password: { "4dabf18193072939515e22adb298388d": "secret", ciphertext: "v1:x" } },
      },
    }),
    ...more,
  };
}

const component = (type: string, name: string) => [
  resource({ type, name }),
  resource({
    type: "kubernetes:networking.istio.io/v1:VirtualService",
    name: `${name}-child`,
    parent: urn(type, name),
    object: ["VirtualService", "shop", `${name}-child`],
  }),
];

/** Two services, cart and pay, and what stays: providers, and a resource that depends on what goes. */
function state(more: object = {}): StackState {
  const cart = CLUSTERS.flatMap((cluster) => [
    ...component(ROUTE, `cart.shop-route-${cluster}`),
    ...component(WORKLOAD, `cart.shop-${cluster}`),
    ...CLUSTERS.filter((other) => other !== cluster).flatMap((other) =>
      component(ENTRY, `cart.shop-${other}-from-${cluster}`),
    ),
  ]);
  const gone = urn(ROUTE, "cart.shop-route-cluster-a");
  const resources = [
    resource({ type: "pulumi:providers:kubernetes", name: "cluster-a" }),
    ...CLUSTERS.map((cluster) =>
      resource({
        type: "kubernetes:core/v1:Namespace",
        name: `shop-${cluster}`,
        object: ["Namespace", undefined, "shop"],
      }),
    ),
    ...cart,
    ...component(ROUTE, "pay.shop-route-cluster-a"),
    resource({
      type: "kubernetes:core/v1:ConfigMap",
      name: "guard",
      object: ["ConfigMap", "guards", "guard"],
      more: {
        dependencies: [gone, urn(ROUTE, "pay.shop-route-cluster-a")],
        propertyDependencies: { data: [gone] },
        deletedWith: gone,
      },
    }),
  ];
  return parseState(
    JSON.stringify({ version: 3, deployment: { manifest: { magic: "m" }, resources, ...more } }),
  );
}

const cart = [{ service: "cart", namespace: "shop" }];

describe("what is handed back of a state", () => {
  it("is all that a service's components have made, in each cluster, and nothing else", () => {
    const { objects, rest } = handBack(state(), cart, CLUSTERS, ["shop"]);
    expect(objects).toHaveLength(6);
    expect(objects.map(({ cluster }) => cluster).sort()).toEqual([
      ...["cluster-a", "cluster-a", "cluster-a"],
      ...["cluster-b", "cluster-b", "cluster-b"],
    ]);
    expect(objects[0]).toEqual({
      ...{ cluster: "cluster-a", service: cart[0], apiVersion: "networking.istio.io/v1" },
      ...{ kind: "VirtualService", namespace: "shop", name: "cart.shop-route-cluster-a-child" },
    });
    expect(rest.deployment.resources?.map((each) => each.urn.split("::").at(-1))).toEqual([
      "cluster-a",
      "shop-cluster-a",
      "shop-cluster-b",
      "pay.shop-route-cluster-a",
      "pay.shop-route-cluster-a-child",
      "guard",
    ]);
  });

  it("leaves a state that names nothing which it does not have, and keeps the rest of it", () => {
    const { rest } = handBack(state(), cart, CLUSTERS, ["shop"]);
    expect(rest).toMatchObject({ version: 3, deployment: { manifest: { magic: "m" } } });
    const guard = rest.deployment.resources?.at(-1);
    expect(guard).toMatchObject({
      dependencies: [urn(ROUTE, "pay.shop-route-cluster-a")],
      propertyDependencies: { data: [] },
    });
    expect(guard).not.toHaveProperty("deletedWith");
    expect(JSON.stringify(guard)).toContain('"ciphertext":"v1:x"');
  });

  it("has the namespace too, once no service is made there any more", () => {
    const { objects, rest } = handBack(state(), cart, CLUSTERS, []);
    expect(objects.filter(({ kind }) => kind === "Namespace")).toEqual(
      CLUSTERS.map((cluster) => ({
        ...{ cluster, apiVersion: "v1", kind: "Namespace", namespace: undefined, name: "shop" },
      })),
    );
    expect(JSON.stringify(rest)).not.toContain("Namespace");
  });

  it("is nothing where the state has none of it", () => {
    const before = state();
    const again = handBack(before, [{ service: "other", namespace: "web" }], CLUSTERS, []);
    expect(again.objects).toEqual([]);
    expect(again.rest).toEqual(before);
  });

  it("is not known after an update that was interrupted", () => {
    expect(() =>
      handBack(state({ pending_operations: [{ type: "updating" }] }), cart, CLUSTERS, []),
    ).toThrow("the last update was interrupted: run pulumi up first, which completes it");
    const broken = state();
    const left = broken.deployment.resources?.find(({ type }) => type.endsWith("VirtualService"));
    if (left) left.delete = true;
    expect(() => handBack(broken, cart, CLUSTERS, [])).toThrow(
      "is not as an update has left it: run pulumi up first",
    );
  });
});
