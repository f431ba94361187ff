/** Namespace of istiod and of the east-west gateway. */
export const SYSTEM_NAMESPACE = "istio-system";

/** The label by which istiod finds the Secrets with which it reads other clusters: those on which it is `true`. */
export const REMOTE_SECRET_LABEL = "istio/multiCluster";

/** The name of the Secret with which an istiod reads a cluster. */
export function remoteSecretName(cluster: string): string {
  return `istio-remote-secret-${cluster}`;
}
/** Namespace of the gateway for traffic from outside. */
export const INGRESS_NAMESPACE = "istio-ingress";
/** Namespace of Istio's CNI agent, where GKE and OpenShift let pods run that a node cannot do without. */
export const CNI_NAMESPACE = "kube-system";
/** Its Helm release. */
export const CNI_RELEASE = "istio-cni";
/** Helm release, Deployment and Service of the gateway between clusters. */
export const EAST_WEST_GATEWAY = "istio-eastwestgateway";
/** Helm release, Deployment, Service and Gateway for traffic from outside. */
export const INGRESS_GATEWAY = "istio-ingressgateway";
/** The Gateway object of that gateway, as VirtualServices name it. */
export const INGRESS_GATEWAY_OBJECT = `${INGRESS_NAMESPACE}/${INGRESS_GATEWAY}`;
/** The Gateway object that lets mTLS traffic for services of the mesh through, as Istio's docs name it. */
export const CROSS_NETWORK_GATEWAY = "cross-network-gateway";
/** Port on which an east-west gateway takes mTLS traffic of the mesh. */
export const EAST_WEST_PORT = 15443;
/** Port on which every gateway says that it is ready. */
export const GATEWAY_STATUS_PORT = 15021;
/** Other ports that such a gateway has, or may have: of an istiod outside the cluster, and of its health. */
export const GATEWAY_PORTS: readonly number[] = [15_012, 15_017, GATEWAY_STATUS_PORT];
/** The label by which a gateway's Service tells istiods that it takes mTLS traffic on another port. */
export const GATEWAY_PORT_LABEL = "networking.istio.io/gatewayPort";
/** Port of every Service that the program makes; its container port is configuration. */
export const SERVICE_PORT = 80;
/** Name of that port; Istio takes the protocol from it. */
export const SERVICE_PORT_NAME = "http";
/** Deployment, Service and pod label of a cluster's own Prometheus. */
export const PROMETHEUS = "prometheus";
/** Its namespace, unless the configuration names another one. */
export const MONITORING_NAMESPACE = "istio-canary-monitoring";
/** Port of its HTTP API. */
export const PROMETHEUS_PORT = 9090;
/** Deployment, pod label and container of a cluster's guard, and the objects that it goes by. */
export const RELEASE_GUARD = "release-guard";
/** Port on which it serves its health and its metrics. */
export const RELEASE_GUARD_PORT = 8080;
/** Envoy's admin port in every Istio proxy (`proxyAdminPort`). */
export const ADMIN_PORT = 15000;
/** Top-level domain of the hosts that name a cluster. */
const CROSS_CLUSTER_DOMAIN = "mesh";
/** Virtual addresses of cross-cluster hosts: reserved for future use by IANA, so routed nowhere. */
const VIRTUAL_PREFIX = "240.240";
/** Addresses of that /16 that end neither in 0 nor in 255. */
const VIRTUAL_SLOTS = 256 * 254;

/** RFC 1123 label, as Kubernetes wants it for most names. */
export function isDnsLabel(text: string): boolean {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text);
}

/** RFC 1035 label: also begins with a letter, as a Service's name must. */
export function isServiceName(text: string): boolean {
  return isDnsLabel(text) && /^[a-z]/.test(text);
}

/** Fully qualified domain name without wildcard: labels joined by dots, 253 characters at most. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split(".").every(isDnsLabel);
}

/** Value of a label as Kubernetes has it, but for the empty one. */
export function isLabelValue(text: string): boolean {
  return /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(text);
}

/** What identifies a service in every cluster. */
export interface ServiceName {
  readonly service: string;
  readonly namespace: string;
}

/** A service in what is read and reported: `namespace/service`. */
export function serviceKey({ service, namespace }: ServiceName): string {
  return `${namespace}/${service}`;
}

/** Which service a part of the configuration is about. */
export function idOf({
  name,
  namespace,
}: {
  readonly name: string;
  readonly namespace: string;
}): ServiceName {
  return { service: name, namespace };
}

/** The name of a Kubernetes Service that every cluster resolves to its own: `user-service.user.svc.cluster.local`. */
export function serviceHost({ service, namespace }: ServiceName, clusterDomain: string): string {
  return `${service}.${namespace}.svc.${clusterDomain}`;
}

/** The host that means the service in one cluster, whoever asks: `user-service.user.cluster-b.mesh`. */
export function crossClusterHost({ service, namespace }: ServiceName, cluster: string): string {
  return `${service}.${namespace}.${cluster}.${CROSS_CLUSTER_DOMAIN}`;
}

/** Name of the objects, next to the service's own, that are about it in one other cluster. */
export function crossClusterName(service: string, cluster: string): string {
  return `${service}-${cluster}`;
}

/** The identity in the certificate of the pods of a ServiceAccount. */
export function workloadIdentity(
  namespace: string,
  serviceAccount: string,
  trustDomain: string,
): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** 32-bit FNV-1a: spreads similar hosts over the slots, and is the same everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value;
}

/**
 * A virtual address for each host, the same in every cluster and in every run. Hosts whose hashes
 * meet move on to the next free slot in alphabetical order, so the addresses depend on the set of
 * hosts alone, never on its order.
 */
export function virtualAddresses(hosts: readonly string[]): ReadonlyMap<string, string> {
  const unique = [...new Set(hosts)].sort();
  if (unique.length > VIRTUAL_SLOTS) {
    throw new Error(
      `${unique.length} cross-cluster hosts do not fit into ${VIRTUAL_PREFIX}.0.0/16 (${VIRTUAL_SLOTS} addresses)`,
    );
  }
  const taken = new Map<number, string>();
  for (const host of unique) {
    let slot = hash(host) % VIRTUAL_SLOTS;
    while (taken.has(slot)) {
      slot = (slot + 1) % VIRTUAL_SLOTS;
    }
    taken.set(slot, host);
  }
  return new Map(
    [...taken].map(([slot, host]) => [
      host,
      `${VIRTUAL_PREFIX}.${Math.floor(slot / 254)}.${(slot % 254) + 1}`,
    ]),
  );
}

/** Families of IP addresses, in Kubernetes' words. */
export const IP_FAMILIES = ["IPv4", "IPv6"] as const;
export type IpFamily = (typeof IP_FAMILIES)[number];

/** The virtual IPv6 address of the host that has this IPv4 one: for benchmarks (RFC 5180), so routed nowhere. */
export function virtualAddressV6(address: string): string {
  const [c = 0, d = 0] = address.split(".").slice(2).map(Number);
  return `2001:2::f0f0:${(c * 256 + d).toString(16)}`;
}

/** What a Service is to ask for so that it gets addresses of these families. @default the cluster's first family */
export function ipFamilyPolicy(families: readonly IpFamily[] | undefined) {
  return families !== undefined && families.length > 1
    ? ({ ipFamilyPolicy: "PreferDualStack" } as const)
    : {};
}

/** A stack's name as a part of Kubernetes names. */
export function stackLabel(stack: string): string {
  return stack.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
