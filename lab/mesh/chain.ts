import { serviceHost, type ServiceName } from "../../lib/names.ts";

/** The chain of services that the lab releases as one: each is the echo server as two versions. */
export const chain = {
  namespace: "chain",
  /** The services by the way of a request: the first one is the entry, the others follow. */
  services: ["front", "order-service", "user-service"],
  entry: "front",
  /** The entry's name inside every cluster of the mesh. */
  host: "front.chain.svc.cluster.local",
  /** Its name for clients outside the mesh, at the ingress gateways. */
  ingressHost: "front.example.com",
  stable: "v1",
  canary: "v2",
  /** The header and the member of `baggage` that carry the mark, and its value. */
  header: "x-istio-canary",
  baggage: "istio-canary",
  mark: "canary",
  /** The value of the header by which a tester asks for the canary. */
  tester: "alice",
} as const;

/** A service of the chain, as clusters know it. */
export function chainService(service: string): ServiceName {
  return { service, namespace: chain.namespace };
}

/** The name of a service of the chain inside every cluster of the mesh. */
export function chainHost(service: string): string {
  return serviceHost(chainService(service), "cluster.local");
}

/** The services that follow the entry. */
export const followers = chain.services.filter((name) => name !== chain.entry);
