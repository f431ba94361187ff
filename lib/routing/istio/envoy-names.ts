import { serviceHost, SERVICE_PORT, type ServiceName } from "../../names.ts";

/**
 * The server name by which an east-west gateway finds the service, and the subset of it if one is
 * named (AUTO_PASSTHROUGH; Istio's BuildDNSSrvSubsetKey).
 */
export function passthroughSni(
  name: ServiceName,
  clusterDomain: string,
  subset = "",
  port = SERVICE_PORT,
): string {
  return passthroughCluster(serviceHost(name, clusterDomain), subset, port);
}

/** Envoy's name for a subset of a host: `outbound|80|v2|user-service.user.svc.cluster.local`. */
export function envoyCluster(host: string, subset: string, port = SERVICE_PORT): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** The subset in such a name; empty if it names none. */
export function subsetOf(envoyCluster: string): string {
  return envoyCluster.split("|")[2] ?? "";
}

/** The host in such a name; empty if it names none. */
export function hostOf(envoyCluster: string): string {
  return envoyCluster.split("|")[3] ?? "";
}

/** Envoy's name for a subset in an east-west gateway, which finds it by the server name. */
export function passthroughCluster(host: string, subset: string, port = SERVICE_PORT): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}
