import type { IServiceEntry } from "@kubernetes-models/istio/networking.istio.io/v1/ServiceEntry";
import {
  crossClusterHost,
  crossClusterName,
  SERVICE_PORT,
  SERVICE_PORT_NAME,
} from "../../names.ts";
import type { CrossClusterArgs } from "../routing.ts";
import { OWNED } from "../routing-annotations.ts";

/** The host that names another cluster, without its endpoints: those come from a resource. */
export function serviceEntry({
  cluster,
  virtualAddress,
  existing,
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
      addresses: [virtualAddress],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [
        { number: existing?.port ?? SERVICE_PORT, name: SERVICE_PORT_NAME, protocol: "HTTP" },
      ],
    },
  } satisfies IServiceEntry;
}
