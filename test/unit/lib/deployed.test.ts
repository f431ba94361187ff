import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  deployedRoute,
  loweredTo,
  replacesAnnotation,
  sameShares,
  shareOf,
  splitOf,
  withWeight,
} from "../../../lib/deployed.ts";
import { virtualService } from "../../../lib/routing/istio/virtual-service.ts";
import { shares, type Split } from "../../../lib/weights.ts";

function specOf(split: Split) {
  return virtualService({
    ...split,
    service: "user-service",
    namespace: "user",
    clusterDomain: "cluster.local",
    matches: [{ header: { "x-canary": "true" } }],
    timeout: "10s",
    retries: { attempts: 2 },
    mirrorPercent: 0,
    crossClusterHosts: ["user-service.user.cluster-b.mesh"],
    ingressHosts: [],
    ingressGateway: "",
  }).spec;
}

const live = (split: Split, generation = 3, annotations?: Record<string, string>) =>
  deployedRoute({ metadata: { generation, annotations }, spec: specOf(split) }, {});

const splits = fc.record({
  stable: fc.constant("v1"),
  canary: fc.constantFrom("v2", undefined),
  weight: fc.integer({ min: 0, max: 100 }),
});

describe("a deployed VirtualService", () => {
  it("tells the split that it was made from", () => {
    fc.assert(
      fc.property(splits, (split) => {
        const read = splitOf(specOf(split));
        expect(read.stable).toBe(split.stable);
        expect(read.canary).toBe(split.canary);
        expect(read.weight).toBe(split.canary === undefined ? 0 : split.weight);
      }),
    );
  });

  it("tells the highest and the lowest weight where somebody has changed one host's alone", () => {
    const { http } = specOf({ stable: "v1", canary: "v2", weight: 10 });
    const isFar = (rule: (typeof http)[number]) => rule.name.includes(".mesh-weights");
    const mixed = http.flatMap((rule) => (isFar(rule) ? withWeight([rule], "v2", 60) : [rule]));
    const read = splitOf({ http: mixed });
    expect(read).toMatchObject({ weight: 60, leastWeight: 10 });
    expect(sameShares(read, { stable: "v1", canary: "v2", weight: 60 })).toBe(false);
    expect(sameShares(read, { stable: "v1", canary: "v2", weight: 10 })).toBe(false);
    expect(splitOf({ http: loweredTo(mixed, "v2", 30) })).toMatchObject({
      weight: 30,
      leastWeight: 10,
    });
    expect(splitOf({ http: loweredTo(mixed, "v2", 5) })).toEqual({
      stable: "v1",
      canary: "v2",
      weight: 5,
    });
  });

  it.each([
    { owners: ["kubectl-edit"], writtenBy: "kubectl-edit" },
    { owners: ["pulumi-kubernetes-1a2b3c4d"], writtenBy: undefined },
    { owners: ["pulumi-kubernetes-1a2b3c4d", "istio-canary"], writtenBy: undefined },
    { owners: [], writtenBy: undefined },
  ])("tells who has written its rules by hand: $owners", ({ owners, writtenBy }) => {
    const managedFields = [
      { manager: "helm", fieldsV1: { "f:metadata": {} } },
      ...owners.map((manager) => ({ manager, fieldsV1: { "f:spec": { "f:http": {} } } })),
    ];
    const spec = specOf({ stable: "v1", canary: "v2", weight: 10 });
    const route = deployedRoute({ metadata: { generation: 1, managedFields }, spec }, {});
    expect(route.writtenBy).toBe(writtenBy);
  });

  it("becomes by another weight what it would be made as, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 100 }),
        (from, to) => {
          const split = { stable: "v1", canary: "v2" };
          expect(withWeight(specOf({ ...split, weight: from }).http, "v2", to)).toEqual(
            specOf({ ...split, weight: to }).http,
          );
        },
      ),
    );
  });
});

describe("shareOf", () => {
  it("is what the split gives each version, and nothing for others", () => {
    fc.assert(
      fc.property(splits, (split) => {
        for (const { version, weight } of shares(split)) {
          expect(shareOf(split, version)).toBe(weight);
        }
        expect(shareOf(split, "v9")).toBe(0);
        expect(shareOf(split, undefined)).toBe(0);
      }),
    );
  });

  it("shows that a promotion sends every request the same way", () => {
    const before = { stable: "v1", canary: "v2", weight: 100 };
    expect(sameShares(before, { stable: "v2", weight: 0 })).toBe(true);
    expect(sameShares(before, { stable: "v2", canary: "v3", weight: 0 })).toBe(true);
    expect(sameShares(before, { stable: "v1", weight: 0 })).toBe(false);
  });
});

describe("the annotation that shows Pulumi a difference", () => {
  const wanted = { stable: "v1", canary: "v2", weight: 30 };

  it("names the generation of a cluster that serves something else", () => {
    expect(replacesAnnotation(live({ ...wanted, weight: 10 }, 7), wanted)).toBe("generation 7");
  });

  it("stays what it is where the cluster serves what is wanted", () => {
    expect(replacesAnnotation(live(wanted, 8), wanted)).toBeUndefined();
    const annotated = live(wanted, 8, { "istio-canary/replaces": "generation 7" });
    expect(replacesAnnotation(annotated, wanted)).toBe("generation 7");
  });

  it("is left out where there is nothing yet", () => {
    expect(replacesAnnotation(undefined, wanted)).toBeUndefined();
  });
});
