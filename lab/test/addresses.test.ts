import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chooseNodeCidr,
  clusterAddresses,
  hostAddress,
  nthAddress,
  nthPart,
  nthRange,
  overlap,
} from "../clusters/addresses.ts";

/** A cluster with the given place in the list, and nodes with the given places among all. */
const cluster = (index: number, ...places: number[]) => ({
  name: "cluster",
  index,
  nodes: places.map((place, node) => ({
    name: `node.${node}`,
    suffix: `.${node}`,
    controlPlane: node === 0,
    place,
    podCidr: "10.201.0.0/16",
    dir: "/lab",
  })),
});

describe("the node range", () => {
  it("is the first /24 that nothing on the machine uses", () => {
    expect(chooseNodeCidr(undefined, [])).toBe("10.200.0.0/24");
    expect(chooseNodeCidr(undefined, ["192.0.2.0/24", "10.200.0.0/23", "10.200.2.7/32"])).toBe(
      "10.200.3.0/24",
    );
  });

  it("is the one asked for if that is free", () => {
    expect(chooseNodeCidr("10.9.0.0/24", ["10.8.0.0/16"])).toBe("10.9.0.0/24");
    expect(() => chooseNodeCidr("10.9.0.0/24", ["10.8.0.0/15"])).toThrow(
      "Node range 10.9.0.0/24 overlaps with 10.8.0.0/15",
    );
  });

  it("is asked for when everything is taken", () => {
    expect(() => chooseNodeCidr(undefined, ["10.0.0.0/8"])).toThrow("set LAB_NODE_CIDR");
  });

  it("never overlaps with a range in use", () => {
    const range = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 18, max: 32 }))
      .map(([third, length]) => `10.200.${third}.0/${length}`);
    fc.assert(
      fc.property(fc.array(range, { maxLength: 3 }), (used) => {
        const chosen = chooseNodeCidr(undefined, used);
        expect(used.some((other) => overlap(chosen, other))).toBe(false);
      }),
    );
  });
});

describe("addresses of a cluster", () => {
  it("are a node and a range of load balancers, on the bridge of all", () => {
    const { nodes, controlPlane, loadBalancers } = clusterAddresses("10.200.4.0/24", cluster(1, 1));
    expect(hostAddress("10.200.4.0/24")).toBe("10.200.4.1/24");
    expect(nodes).toMatchObject([{ address: "10.200.4.3", addressInCidr: "10.200.4.3/24" }]);
    expect(controlPlane).toBe("10.200.4.3");
    expect([loadBalancers[0], loadBalancers.at(-1)]).toEqual(["10.200.4.64", "10.200.4.94"]);
  });

  it("are no other cluster's, for as many clusters as a /24 takes", () => {
    const all = Array.from({ length: 7 }, (_, index) =>
      clusterAddresses("10.200.0.0/24", cluster(index, index, index + 10, index + 20)),
    );
    const addresses = all.flatMap(({ nodes, loadBalancers }) => [
      ...nodes.map(({ address }) => address),
      ...loadBalancers,
    ]);
    expect(addresses).toHaveLength(7 * (3 + 31));
    expect(new Set(addresses).size).toBe(addresses.length);
    expect(addresses).not.toContain("10.200.0.1");
    expect(addresses).not.toContain("10.200.0.255");
    expect(() => clusterAddresses("10.200.0.0/24", cluster(7, 7))).toThrow(
      "set LAB_NODE_CIDR to a larger",
    );
  });
});

describe("arithmetic on ranges", () => {
  it("counts from the first address, over byte borders", () => {
    expect(nthAddress("10.96.0.0/16", 10)).toBe("10.96.0.10");
    expect(nthAddress("10.96.0.200/24", 256)).toBe("10.96.1.0");
    expect(nthRange("10.201.0.0/16", 2)).toBe("10.203.0.0/16");
    expect(nthRange("10.255.0.0/16", 1)).toBe("11.0.0.0/16");
  });

  it("cuts a range into parts of one size", () => {
    expect(nthPart("10.202.0.0/16", 0, 1)).toBe("10.202.0.0/16");
    expect([0, 1].map((index) => nthPart("10.202.0.0/16", index, 2))).toEqual([
      "10.202.0.0/17",
      "10.202.128.0/17",
    ]);
    expect(nthPart("10.202.0.0/16", 2, 3)).toBe("10.202.128.0/18");
  });
});
