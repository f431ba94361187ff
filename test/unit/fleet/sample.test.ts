import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { sampled } from "../../../fleet/sample.ts";

function pod(name: string, uid: string, workload?: string): V1Pod {
  const owner = { controller: true, apiVersion: "apps/v1", kind: "ReplicaSet", name: "" };
  const containers = [
    { name: "istio-proxy" },
    ...(workload === undefined ? [] : [{ name: "app" }]),
  ];
  const ownerReferences = workload === undefined ? [] : [{ ...owner, uid: workload }];
  return { metadata: { name, namespace: "user", uid, ownerReferences }, spec: { containers } };
}

const fleet = [
  pod("a-1", "4", "a"),
  pod("a-2", "1", "a"),
  pod("a-3", "7", "a"),
  pod("b-1", "2", "b"),
  pod("b-2", "5", "b"),
  pod("ingress", "3"),
  pod("east-west", "6"),
];
const names = (most: number) => sampled(fleet, most).map(({ metadata }) => metadata?.name);

describe("the proxies that are asked themselves", () => {
  it("are all, of few", () => {
    expect(sampled(fleet, 7)).toEqual(fleet);
  });

  it("are all gateways, and sidecars of as many workloads as possible", () => {
    expect(names(4)).toEqual(["ingress", "east-west", "a-2", "b-1"]);
    expect(names(6)).toEqual(["ingress", "east-west", "a-2", "b-1", "a-1", "b-2"]);
  });

  it("are all gateways at least", () => {
    expect(names(0)).toEqual(["ingress", "east-west"]);
  });

  it("are the same ones in another order of the list", () => {
    expect(sampled([...fleet].reverse(), 4)).toEqual(
      expect.arrayContaining([...sampled(fleet, 4)]),
    );
  });
});
