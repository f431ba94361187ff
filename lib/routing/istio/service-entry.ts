import {
  crossClusterHost,
  crossClusterName,
  SERVICE_PORT,
  SERVICE_PORT_NAME,
  type ServiceName,
} from "../../names.ts";
import { OWNED } from "./routing-annotations.ts";

export interface ServiceEntryArgs extends ServiceName {
  /** Cluster that the host names. */
  readonly cluster: string;
  /** The host's address inside the mesh, at which sidecars catch its traffic. */
  readonly virtualAddress: string;
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
