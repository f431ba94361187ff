import { describe, expect, it } from "vitest";
import { canaryRouteObjects, type CanaryRouting } from "../../../../../components/canary-route.ts";
import { foundRoute, routeContent } from "../../../../../lib/routing/istio/route-content.ts";
import { routing } from "../../../../../lib/routing/index.ts";

const [stable, canary] = ["1.16.0", "1.17.0_rc"];
const [stableName, canaryName] = ["1-16-0-3b41f45f", "1-17-0-rc-e8568fbb"];
const about: CanaryRouting = {
  ...{ service: "shop", namespace: "user", stable, canary, weight: 10 },
  matches: [{ header: { "x-canary": "true" } }],
  mirrorPercent: 5,
  policies: { versions: { [canary]: { connectionPool: { tcp: { maxConnections: 5 } } } } },
};
const objects = canaryRouteObjects(about);
const { weights, versions, rules } = objects;
const live = (object: object = weights) => ({
  ...object,
  metadata: { ...weights.metadata, generation: 8 },
});

describe("versions that are no DNS labels", () => {
  it("are subsets by their names, each with the pods that are labelled with it as it is written", () => {
    expect(versions.spec).toMatchObject({
      subsets: [
        { name: stableName, labels: { version: stable } },
        {
          name: canaryName,
          labels: { version: canary },
          trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } } },
        },
      ],
    });
    expect(objects.shares).toEqual({ [stable]: 90, [canary]: 10 });
  });

  it("are so at the hosts that name a cluster, whose server names have them too", () => {
    const { versions: crossing } = routing.crossClusterObjects({
      ...{ service: "shop", namespace: "user", cluster: "cluster-b", versions: [stable] },
      ...{
        clusterDomain: "cluster.local",
        trustDomain: "cluster.local",
        virtualAddress: "1.2.3.4",
      },
    });
    expect(crossing.spec).toMatchObject({
      subsets: [
        {
          name: stableName,
          trafficPolicy: {
            tls: { sni: `outbound_.80_.${stableName}_.shop.user.svc.cluster.local` },
          },
        },
      ],
    });
  });

  it("are named so by the rules, and told as they are written", () => {
    expect(JSON.stringify(rules)).not.toContain(stable);
    expect(rules.at(-1)).toMatchObject({
      route: [
        { destination: { subset: stableName }, weight: 90 },
        { destination: { subset: canaryName }, weight: 10 },
      ],
      mirror: { subset: canaryName },
    });
    const split = { stable, canary, weight: 10 };
    expect(routeContent(weights).split).toEqual(split);
    expect(foundRoute(live()).route).toMatchObject(split);
  });

  it("are told by their names where no label tells them, and by whoever knows them", () => {
    const unlabelled = { ...live(), metadata: { ...live().metadata, labels: {} } };
    const known = [stable, undefined, canary];
    expect(foundRoute(unlabelled).route).toMatchObject({ stable: stableName, canary: canaryName });
    expect(foundRoute(unlabelled, known).route).toMatchObject({ stable, canary });
  });

  it("are told right where the rules were written ahead of the labels", () => {
    const next = canaryRouteObjects({ ...about, canary: "1.18.0" });
    const ahead = { ...live(), spec: next.weights.spec };
    expect(foundRoute(ahead, [stable, "1.18.0"]).route).toMatchObject({ stable, canary: "1.18.0" });
    expect(foundRoute(ahead).route.canary).not.toBe(canary);
  });

  it("are lowered, found and taken out of the rules by what they are called or named", () => {
    for (const version of [canary, canaryName]) {
      const lowered = routing.lowered(rules, version, 0);
      expect(routeContent({ ...weights, spec: { http: lowered } }).split).toMatchObject({
        weight: 0,
      });
      expect(routing.versionsIn(routing.without(rules, version))).toEqual([stableName]);
    }
    expect(routing.versionsIn(rules, [canary])).toEqual([canary, stableName]);
    expect(routing.lowered(rules, canary, 30)).toEqual(rules);
  });

  it("are found in what an Envoy serves", () => {
    const host = "shop.user.svc.cluster.local";
    expect(routing.envoyCluster(host, stable)).toBe(`outbound|80|${stableName}|${host}`);
    expect(routing.passthroughCluster(host, stable, 90)).toBe(
      `outbound_.90_.${stableName}_.${host}`,
    );
    expect(routing.shareIn({ [canaryName]: 10 }, canary)).toBe(10);
    expect(routing.shareIn({ v1: 90 }, "v1")).toBe(90);
    expect(routing.shareIn({ v1: 90 }, canary)).toBe(0);
  });
});
