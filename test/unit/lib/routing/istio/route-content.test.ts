import { describe, expect, it } from "vitest";
import { canaryRouteObjects } from "../../../../../components/canary-route.ts";
import { foundRoute, routeContent } from "../../../../../lib/routing/istio/route-content.ts";

const mark = { header: "x-canary", testers: [] };
const { weights, rules } = canaryRouteObjects({
  ...{ service: "shop", namespace: "user", stable: "v1", canary: "v2", weight: 10 },
  chain: { role: "entry", mark, members: ["user/shop", "user/cart"] },
  contexts: ["ctx-a", "ctx-b"],
  replaces: "generation 7",
});
const split = { stable: "v1", canary: "v2", weight: 10 };

describe("a VirtualService that an API server has", () => {
  const live = (annotations = weights.metadata.annotations) => ({
    ...weights,
    metadata: { ...weights.metadata, annotations, generation: 8, resourceVersion: "80" },
  });

  it("tells all that was made into it", () => {
    expect(foundRoute(live())).toEqual({
      service: "shop",
      namespace: "user",
      hosts: ["shop.user.svc.cluster.local"],
      contexts: ["ctx-a", "ctx-b"],
      route: {
        ...split,
        generation: 8,
        resourceVersion: "80",
        replaces: "generation 7",
        role: "entry",
        members: ["user/cart", "user/shop"],
        mark: "x-canary",
        rules,
      },
    });
  });

  it.each(["no list", '{"a":1}'])("has recorded no contexts where it says %s", (text) => {
    expect(foundRoute(live({ "istio-canary/contexts": text })).contexts).toEqual([]);
  });
});

describe("a VirtualService of a service that others have made", () => {
  const existing = { port: 80, versionLabel: "version", serviceAccounts: ["shop"] };
  const about = { service: "shop", namespace: "user", stable: "v1", weight: 0, existing };
  const live = ({ weights: object }: ReturnType<typeof canaryRouteObjects>) => ({
    ...object,
    metadata: { ...object.metadata, generation: 8 },
  });

  it("names no version without a canary, and its label tells the stable one", () => {
    const objects = canaryRouteObjects(about);
    const unnamed = { stable: "v1", canary: undefined, weight: 0, unnamed: true };
    expect(foundRoute(live(objects)).route).toMatchObject({ ...unnamed, existing: true });
    expect(routeContent(objects.weights).split).toEqual(unnamed);
  });

  it("names both with one", () => {
    const { route } = foundRoute(live(canaryRouteObjects({ ...about, canary: "v2" })));
    expect(route).toMatchObject({ stable: "v1", canary: "v2", existing: true });
    expect(route).not.toHaveProperty("unnamed");
  });

  it("is somebody else's where it names no version and does not say so", () => {
    const { metadata, ...object } = live(canaryRouteObjects(about));
    const { route } = foundRoute({ ...object, metadata: { ...metadata, annotations: {} } });
    expect(route).toMatchObject({ stable: "" });
    expect(route).not.toHaveProperty("unnamed");
    expect(route).not.toHaveProperty("existing");
  });
});

describe("a VirtualService of Pulumi's state", () => {
  it("tells its versions, what it is in a chain, and what it replaces", () => {
    const content = { split, role: "entry", mark: "x-canary", replaces: "generation 7" };
    expect(routeContent(weights)).toEqual(content);
  });

  it.each([
    {},
    { metadata: "not known yet", spec: "not known yet" },
    { metadata: { labels: { "istio-canary/role": "other" }, annotations: 1 }, spec: { http: [] } },
  ])("tells nothing where it has nothing: %j", (object) => {
    expect(routeContent(object)).toEqual({});
  });
});
