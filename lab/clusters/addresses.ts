import ipaddr from "ipaddr.js";
import type { ClusterSettings, NodeSettings } from "../settings.ts";

/** A node with its place in the network. */
export interface PlacedNode extends NodeSettings {
  /** Its address on the bridge that joins all nodes. */
  readonly address: string;
  /** The same with the length of the node range, for `ip addr`. */
  readonly addressInCidr: string;
}

/** Addresses that one cluster has on the bridge that joins the nodes. */
export interface ClusterAddresses {
  /** The cluster's nodes, in order. */
  readonly nodes: readonly PlacedNode[];
  /** Address of the control plane: that of the node it runs on. */
  readonly controlPlane: string;
  /** The addresses that this cluster's load balancers are given, in order. */
  readonly loadBalancers: readonly string[];
}

/** Load balancers that one cluster can have. */
const loadBalancersPerCluster = 32;
/** Where the lab looks for a free node range. */
const candidates = "10.200.0.0/16";

/** Whether the text is an IPv4 range in CIDR notation. */
export function isIpv4Cidr(text: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(text);
}

/** Whether two IPv4 ranges have an address in common. */
export function overlap(one: string, other: string): boolean {
  const [address, length] = ipaddr.IPv4.parseCIDR(one);
  const [otherAddress, otherLength] = ipaddr.IPv4.parseCIDR(other);
  return address.match(otherAddress, Math.min(length, otherLength));
}

/** The address that lies `offset` addresses after the first of a range. */
export function nthAddress(cidr: string, offset: number): string {
  const number = ipaddr.IPv4.networkAddressFromCIDR(cidr).octets.reduce(
    (sum, byte) => sum * 256 + byte,
    0,
  );
  const shifted = number + offset;
  return [24, 16, 8, 0].map((bits) => Math.floor(shifted / 2 ** bits) % 256).join(".");
}

/** The range of the same size that lies `index` ranges after the given one. */
export function nthRange(cidr: string, index: number): string {
  const length = prefixLength(cidr);
  return `${nthAddress(cidr, index * 2 ** (32 - length))}/${length}`;
}

/** The part with the given place of a range that is cut into at least so many parts of one size. */
export function nthPart(cidr: string, index: number, parts: number): string {
  const length = prefixLength(cidr) + Math.ceil(Math.log2(parts));
  return nthRange(`${nthAddress(cidr, 0)}/${length}`, index);
}

/** The host's address on the bridge, in CIDR notation. */
export function hostAddress(nodeCidr: string): string {
  return `${nthAddress(nodeCidr, 1)}/${prefixLength(nodeCidr)}`;
}

/** The addresses of a cluster, out of the node range of the lab. */
export function clusterAddresses(
  nodeCidr: string,
  { name, index, nodes }: Pick<ClusterSettings, "name" | "index" | "nodes">,
): ClusterAddresses {
  const length = prefixLength(nodeCidr);
  const first = loadBalancersPerCluster * (index + 1);
  if (first + loadBalancersPerCluster > 2 ** (32 - length)) {
    throw new Error(
      `Node range ${nodeCidr} is too small for ${index + 1} clusters with ${loadBalancersPerCluster} ` +
        "load balancers each: set LAB_NODE_CIDR to a larger range",
    );
  }
  const placed = nodes.map((node) => {
    const address = nthAddress(nodeCidr, 2 + node.place);
    return { ...node, address, addressInCidr: `${address}/${length}` };
  });
  const controlPlane = placed.find((node) => node.controlPlane);
  if (!controlPlane) throw new Error(`${name} has no node for its control plane`);
  return {
    nodes: placed,
    controlPlane: controlPlane.address,
    // The last address of the last range would be the broadcast address: no cluster gets its last one.
    loadBalancers: Array.from({ length: loadBalancersPerCluster - 1 }, (_, offset) =>
      nthAddress(nodeCidr, first + offset),
    ),
  };
}

/**
 * The node range of a lab: the one asked for, or the first /24 of 10.200.0.0/16 that nothing uses.
 *
 * @param used every range that the machine has an address in or a route to, the default route left out
 */
export function chooseNodeCidr(asked: string | undefined, used: readonly string[]): string {
  if (asked) {
    const clash = used.find((range) => overlap(asked, range));
    if (clash) {
      throw new Error(
        `Node range ${asked} overlaps with ${clash}, which this machine uses already: ` +
          "set LAB_NODE_CIDR to a free range",
      );
    }
    return asked;
  }
  const all = Array.from({ length: 256 }, (_, index) => nthRange("10.200.0.0/24", index));
  const free = all.find((range) => !used.some((other) => overlap(range, other)));
  if (!free) {
    throw new Error(
      `Every /24 of ${candidates} overlaps with a range that this machine uses: set LAB_NODE_CIDR to a free range`,
    );
  }
  return free;
}

function prefixLength(cidr: string): number {
  return ipaddr.IPv4.parseCIDR(cidr)[1];
}
