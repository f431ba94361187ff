import { describe, expect, it } from "vitest";
import { gatewayEndpoints } from "../../../components/gateway-endpoints.ts";

describe("the endpoints of a cross-cluster host", () => {
  it("refuse a gateway that has no address yet, and say what to do", () => {
    expect(() => gatewayEndpoints("cluster-b", [], ["http"])).toThrow(
      "The east-west gateway of cluster-b has no address yet: its Service got none from the cluster's load balancer. " +
        "Run `pulumi up` again once it has one, or set clusters[].eastWestAddresses to the IP addresses it is reached at.",
    );
  });

  it("refuse a host name, whose addresses may change", () => {
    expect(() => gatewayEndpoints("cluster-b", ["lb.example.com"], ["http"])).toThrow(
      "The east-west gateway of cluster-b has no fixed IP address, only lb.example.com.",
    );
  });
});
