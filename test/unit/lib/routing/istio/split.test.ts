import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sameShares } from "../../../../../lib/deployed.ts";
import { foundRoute } from "../../../../../lib/routing/istio/route-content.ts";
import { loweredTo, splitOf, withWeight } from "../../../../../lib/routing/istio/split.ts";
import { virtualService } from "../../../../../lib/routing/istio/virtual-service.ts";
import type { Split } from "../../../../../lib/weights.ts";

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
    const metadata = { name: "user-service", namespace: "user", generation: 1, managedFields };
    const { route } = foundRoute({ metadata, spec });
    expect(route.writtenBy).toBe(writtenBy);
  });

  it.each([
    { manager: "argocd-controller", operation: "Update", appliedBy: "argocd-controller" },
    { manager: "kustomize-controller", operation: "Apply", appliedBy: "kustomize-controller" },
    { manager: "helm-controller", operation: "Update", appliedBy: "helm-controller" },
    { manager: "fleet-agent", operation: "Apply", appliedBy: "fleet-agent" },
    { manager: "kubectl", operation: "Apply", appliedBy: undefined },
    { manager: "kubectl-edit", operation: "Update", appliedBy: undefined },
    { manager: "istio-canary", operation: "Apply", appliedBy: undefined },
  ])("tells who applies its rules again and again: $manager", ({ appliedBy, ...owner }) => {
    const fieldsV1 = { "f:spec": { "f:http": {} } };
    const managedFields = [
      { manager: "pulumi-kubernetes-1a2b3c4d", operation: "Apply", fieldsV1 },
      { manager: "argocd-controller", operation: "Apply", fieldsV1: { "f:metadata": {} } },
      { ...owner, fieldsV1 },
    ];
    const spec = specOf({ stable: "v1", canary: "v2", weight: 10 });
    const metadata = { name: "user-service", namespace: "user", generation: 1, managedFields };
    const { route } = foundRoute({ metadata, spec });
    expect(route.appliedBy).toBe(appliedBy);
    expect(route.writtenBy).toBeUndefined();
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
