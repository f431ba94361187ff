import { isIP } from "node:net";
import { RunError } from "@pulumi/pulumi";
import { EAST_WEST_PORT } from "../lib/names.ts";

/**
 * Where the other cluster's gateway is reached, as endpoints of the ServiceEntry.
 *
 * @param ports names of the ServiceEntry's ports: the gateway has one for all of them
 */
export function gatewayEndpoints(
  cluster: string,
  addresses: readonly string[],
  ports: readonly string[],
) {
  const named = addresses.filter((address) => isIP(address) === 0);
  if (addresses.length === 0 || named.length > 0) {
    const what =
      addresses.length === 0
        ? "has no address yet: its Service got none from the cluster's load balancer"
        : `has no fixed IP address, only ${named.join(", ")}`;
    throw new RunError(
      `The east-west gateway of ${cluster} ${what}. ` +
        "Run `pulumi up` again once it has one, or set clusters[].eastWestAddresses to the IP addresses it is reached at.",
    );
  }
  return addresses.map((address) => ({
    address,
    ports: Object.fromEntries(ports.map((port) => [port, EAST_WEST_PORT])),
    labels: { "security.istio.io/tlsMode": "istio" },
  }));
}
