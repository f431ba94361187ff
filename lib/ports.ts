import { SERVICE_PORT_NAME } from "./names.ts";

/** Protocols whose requests are split one by one, in the words of a port's name. */
export const PROTOCOLS = ["http", "http2", "grpc"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** All protocols of a port. Connections of `tcp` are not split: all of them go to the stable version. */
export const PORT_PROTOCOLS = [...PROTOCOLS, "tcp"] as const;
export type PortProtocol = (typeof PORT_PROTOCOLS)[number];

/** A port of a Service under which it is called. */
export interface ServicePort {
  readonly port: number;
  readonly protocol: PortProtocol;
}

/**
 * Name of the subset of stable for ports that are not split. It stays the same when another version becomes stable, so
 * that no route has to follow.
 */
export const TCP_SUBSET = "tcp-stable";

/** Whether requests to a port are split. */
export function isSplit(port: ServicePort): port is ServicePort & { readonly protocol: Protocol } {
  return port.protocol !== "tcp";
}

/** Kubernetes' and Istio's word for each protocol, as a port's `appProtocol`. */
export const APP_PROTOCOLS: Readonly<Record<PortProtocol, string>> = {
  http: "http",
  http2: "kubernetes.io/h2c",
  grpc: "grpc",
  tcp: "tcp",
};

/** The name of a Service's port, by which Istio knows the protocol too. The first one of a Service has no number in it. */
export function portName({ port, protocol }: ServicePort, isFirst: boolean): string {
  if (isFirst) return protocol === "http" ? SERVICE_PORT_NAME : protocol;
  return `${protocol}-${port}`;
}
