import { describe, expect, it } from "vitest";
import { gatewayEndpoints } from "../../../components/gateway-endpoints.ts";

describe("the endpoints of a cross-cluster host", () => {
  it("refuse a gateway that has no address yet, and say what to do", () => {
    expect(() => gatewayEndpoints("cluster-b", [], ["http"], 15443)).toThrow(
      "The east-west gateway of cluster-b has no address yet: its Service got none from the cluster's load balancer. " +
        "Run `pulumi up` again once it has one, or set clusters[].eastWestAddresses to the addresses it is reached at.",
    );
  });

  it.each([
    [["203.0.113.1", "2001:db8::1"], "STATIC"],
    [["lb.example.com"], "DNS"],
    [["203.0.113.1", "lb.example.com"], "DNS"],
  ])("at %j have the resolution %s", (addresses, resolution) => {
    const reached = gatewayEndpoints("cluster-b", addresses, ["http"], 15443);
    expect(reached.resolution).toBe(resolution);
    expect(reached.endpoints.map(({ address }) => address)).toEqual(addresses);
  });
});
