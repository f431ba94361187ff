import { SERVICE_PORT_NAME } from "./names.ts";

/** Protocols whose requests are split one by one, in the words of a port's name. */
export const PROTOCOLS = ["http", "http2", "grpc"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** A port of a Service under which it is called. */
export interface ServicePort {
  readonly port: number;
  readonly protocol: Protocol;
}

/** Kubernetes' and Istio's word for each protocol, as a port's `appProtocol`. */
export const APP_PROTOCOLS: Readonly<Record<Protocol, string>> = {
  http: "http",
  http2: "kubernetes.io/h2c",
  grpc: "grpc",
};

/** The name of a Service's port, by which Istio knows the protocol too. The first one of a Service has no number in it. */
export function portName({ port, protocol }: ServicePort, isFirst: boolean): string {
  if (isFirst) return protocol === "http" ? SERVICE_PORT_NAME : protocol;
  return `${protocol}-${port}`;
}
