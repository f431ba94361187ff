import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  crossClusterHost,
  isDnsLabel,
  isDnsName,
  isServiceName,
  serviceHost,
  virtualAddresses,
  virtualAddressV6,
} from "../../../lib/names.ts";

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);

describe("DNS names", () => {
  it.each([
    ["user-service", true],
    ["1", true],
    ["a".repeat(63), true],
    ["a".repeat(64), false],
    ["", false],
    ["-a", false],
    ["a-", false],
    ["User", false],
    ["a.b", false],
    ["a_b", false],
    ["a\n", false],
  ])("takes %j as a label: %s", (text, valid) => {
    expect(isDnsLabel(text)).toBe(valid);
  });

  it("wants a letter first in the name of a Service", () => {
    expect(isServiceName("v1")).toBe(true);
    expect(isServiceName("1v")).toBe(false);
  });

  it("are labels joined by dots", () => {
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), (labels) => {
        expect(isDnsName(labels.join("."))).toBe(true);
        expect(isDnsName(`${labels.join(".")}.`)).toBe(false);
      }),
    );
  });
});

describe("hosts", () => {
  it("are domain names that tell service, namespace and cluster", () => {
    fc.assert(
      fc.property(label, label, label, (service, namespace, cluster) => {
        const name = { service, namespace };
        expect(isDnsName(serviceHost(name, "cluster.local"))).toBe(true);
        expect(crossClusterHost(name, cluster).split(".")).toEqual([
          service,
          namespace,
          cluster,
          "mesh",
        ]);
      }),
    );
  });
});

describe("virtual addresses", () => {
  const hosts = fc.uniqueArray(label, { maxLength: 300 });

  it("are unique and within 240.240.0.0/16, without first and last of a /24", () => {
    fc.assert(
      fc.property(hosts, (names) => {
        const addresses = [...virtualAddresses(names).values()];
        expect(new Set(addresses).size).toBe(names.length);
        for (const address of addresses) {
          const [a, b, c, d] = address.split(".").map(Number);
          expect([a, b]).toEqual([240, 240]);
          expect(c).toBeLessThanOrEqual(255);
          expect(d).toBeGreaterThanOrEqual(1);
          expect(d).toBeLessThanOrEqual(254);
        }
      }),
    );
  });

  it("depend on the set of hosts alone, not on its order", () => {
    fc.assert(
      fc.property(hosts, (names) => {
        expect(virtualAddresses([...names].reverse())).toEqual(virtualAddresses(names));
      }),
    );
  });

  it("stay unique when the range is nearly full", () => {
    const many = Array.from({ length: 60_000 }, (_, i) => `service-${i}.user.cluster-b.mesh`);
    expect(new Set(virtualAddresses(many).values()).size).toBe(many.length);
  });

  it("have an IPv6 one each, in the range for benchmarks", () => {
    expect(virtualAddressV6("240.240.1.2")).toBe("2001:2::f0f0:102");
    expect(virtualAddressV6("240.240.0.1")).toBe("2001:2::f0f0:1");
    const many = Array.from({ length: 5_000 }, (_, i) => `service-${i}.user.cluster-b.mesh`);
    const addresses = [...virtualAddresses(many).values()].map(virtualAddressV6);
    expect(new Set(addresses).size).toBe(many.length);
    expect(addresses.every((address) => isIPv6(address))).toBe(true);
  });
});
