import { describe, expect, it } from "vitest";
import { routingDifferences, type RoutingState } from "../../../../lib/routing/differences.ts";

const host = (weight: number) => ({ "80/host": { routes: [{ weight }] } });
const before: RoutingState = {
  objects: {
    "VirtualService/user-service": { hosts: ["a", "b"], http: [{ timeout: "10s" }] },
    "DestinationRule/user-service": { subsets: [{ name: "v1" }] },
  },
  envoys: [
    { of: ["sidecar of user/user-service", "sidecar of user/client"], virtualHosts: host(10) },
    { of: ["gateway istio-ingress/gateway"], virtualHosts: { "http.8080/outside": {} } },
  ],
};
const [sidecars, gateway] = before.envoys as [RoutingState["envoys"][0], RoutingState["envoys"][0]];
const changed = (more: Partial<RoutingState>) => routingDifferences(before, { ...before, ...more });

describe("two routings of a service", () => {
  it("are the same whatever the order of keys, and however many pods there are", () => {
    const objects = {
      "DestinationRule/user-service": { subsets: [{ name: "v1" }] },
      "VirtualService/user-service": { http: [{ timeout: "10s" }], hosts: ["a", "b"] },
    };
    expect(changed({ objects, envoys: [gateway, sidecars] })).toEqual([]);
  });

  it("differ at each place in an object", () => {
    const objects = {
      ...before.objects,
      "VirtualService/user-service": {
        hosts: ["a"],
        http: [{ timeout: "3s", mirror: { host: "a" } }],
      },
    };
    expect(changed({ objects })).toEqual([
      'VirtualService/user-service: hosts[1]: was "b", is nothing',
      'VirtualService/user-service: http[0].timeout: was "10s", is "3s"',
      'VirtualService/user-service: http[0].mirror: was nothing, is {"host":"a"}',
    ]);
  });

  it("differ by an object that is gone or new", () => {
    const objects = {
      "VirtualService/user-service": before.objects["VirtualService/user-service"],
      "ServiceEntry/user-service-b": {},
    };
    expect(changed({ objects })).toEqual([
      "DestinationRule/user-service is gone",
      "ServiceEntry/user-service-b is new",
    ]);
  });

  it("differ by what an Envoy holds that its workload did not hold", () => {
    const envoys = [
      { of: ["sidecar of user/client"], virtualHosts: host(30) },
      { of: ["sidecar of user/user-service"], virtualHosts: host(10) },
    ];
    expect(changed({ envoys })).toEqual([
      "sidecar of user/client: 80/host.routes[0].weight: was 10, is 30",
    ]);
  });

  it("hold a new workload to what others of its kind held", () => {
    const of = ["sidecar of shop/new"];
    expect(changed({ envoys: [{ of, virtualHosts: host(10) }] })).toEqual([]);
    expect(changed({ envoys: [{ of, virtualHosts: host(0) }] })).toHaveLength(1);
  });

  it("differ by a first gateway", () => {
    const record = { ...before, envoys: [sidecars] };
    expect(routingDifferences(record, before)).toEqual(["gateway istio-ingress/gateway is new"]);
  });
});
