import { describe, expect, it } from "vitest";
import { loadBalancerAddresses } from "../../../components/gateway-release.ts";

describe("a gateway's addresses", () => {
  it("are IP addresses where there are any, host names elsewhere", () => {
    const ingress = [
      { ip: "203.0.113.1", hostname: "a.example.com" },
      { hostname: "lb.example.com" },
    ];
    expect(loadBalancerAddresses({ loadBalancer: { ingress } })).toEqual([
      "203.0.113.1",
      "lb.example.com",
    ]);
  });

  it.each([undefined, {}, { loadBalancer: {} }, { loadBalancer: { ingress: [{}] } }])(
    "are none with status %j",
    (status) => {
      expect(loadBalancerAddresses(status)).toEqual([]);
    },
  );
});
