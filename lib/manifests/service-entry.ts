import { isIP } from "node:net";
import { RunError } from "@pulumi/pulumi";
import {
  crossClusterHost,
  crossClusterName,
  EAST_WEST_PORT,
  SERVICE_PORT,
  SERVICE_PORT_NAME,
  type ServiceName,
} from "../names.ts";
import { OWNED } from "./routing-annotations.ts";

export interface ServiceEntryArgs extends ServiceName {
  /** Cluster that the host names. */
  readonly cluster: string;
  /** The host's address inside the mesh, at which sidecars catch its traffic. */
  readonly virtualAddress: string;
}

/** Where the other cluster's gateway is reached, as endpoints of the ServiceEntry. */
export function gatewayEndpoints(cluster: string, addresses: readonly string[]) {
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
    ports: { [SERVICE_PORT_NAME]: EAST_WEST_PORT },
    labels: { "security.istio.io/tlsMode": "istio" },
  }));
}

/** The host that names another cluster, without its endpoints: those come from a resource. */
export function serviceEntry({ cluster, virtualAddress, ...name }: ServiceEntryArgs) {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: {
      name: crossClusterName(name.service, cluster),
      namespace: name.namespace,
      annotations: OWNED,
    },
    spec: {
      hosts: [crossClusterHost(name, cluster)],
      addresses: [virtualAddress],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: SERVICE_PORT, name: SERVICE_PORT_NAME, protocol: "HTTP" }],
    },
  };
}
