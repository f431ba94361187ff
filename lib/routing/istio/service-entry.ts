import type { IServiceEntry } from "@kubernetes-models/istio/networking.istio.io/v1/ServiceEntry";
import { crossClusterHost, crossClusterName, SERVICE_PORT, virtualAddressV6 } from "../../names.ts";
import { isSplit, portName } from "../../ports.ts";
import type { CrossClusterArgs } from "../routing.ts";
import { OWNED } from "../routing-annotations.ts";

/** Istio's words for a port's protocol. */
const ENTRY_PROTOCOLS = { http: "HTTP", http2: "HTTP2", grpc: "GRPC" } as const;

/** The host that names another cluster, without its endpoints: those come from a resource. */
export function serviceEntry({
  cluster,
  virtualAddress,
  ipFamilies = ["IPv4"],
  existing,
  ports = [{ port: existing?.port ?? SERVICE_PORT, protocol: "http" }],
  ...name
}: Omit<CrossClusterArgs, "clusterDomain" | "trustDomain" | "versions">) {
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
      addresses: ipFamilies.map((family) =>
        family === "IPv6" ? virtualAddressV6(virtualAddress) : virtualAddress,
      ),
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      // A connection has no request whose host could tell the cluster.
      ports: ports.filter(isSplit).map((each, i) => ({
        number: each.port,
        name: portName(each, i === 0),
        protocol: ENTRY_PROTOCOLS[each.protocol],
      })),
    },
  } satisfies IServiceEntry;
}
