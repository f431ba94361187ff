import { isIP } from "node:net";
import { RunError } from "@pulumi/pulumi";

/** As of a host that leads nowhere. With DNS and without endpoints, Istio would have the proxies resolve the host itself. */
export const NO_ENDPOINTS: ReturnType<typeof gatewayEndpoints> = {
  resolution: "STATIC",
  endpoints: [],
};

/**
 * Where the other cluster's gateway is reached, as the part of a ServiceEntry's spec that says so. A host name is resolved
 * by the proxies, again and again: the addresses of a cloud's load balancer change at any time, and no update runs then.
 *
 * @param ports names of the ServiceEntry's ports: the gateway has one for all of them
 * @param gatewayPort that one
 */
export function gatewayEndpoints(
  cluster: string,
  addresses: readonly string[],
  ports: readonly string[],
  gatewayPort: number,
) {
  if (addresses.length === 0) {
    throw new RunError(
      `The east-west gateway of ${cluster} has no address yet: its Service got none from the cluster's load balancer. ` +
        "Run `pulumi up` again once it has one, or set clusters[].eastWestAddresses to the addresses it is reached at.",
    );
  }
  return {
    resolution: addresses.every((address) => isIP(address) !== 0) ? "STATIC" : "DNS",
    endpoints: addresses.map((address) => ({
      address,
      ports: Object.fromEntries(ports.map((port) => [port, gatewayPort])),
      labels: { "security.istio.io/tlsMode": "istio" },
    })),
  };
}
