import type { Canary } from "../fleet/checks/check.ts";
import type { ChainOfRise } from "../fleet/barrier.ts";
import { idOf, serviceKey, serviceHost } from "../lib/names.ts";
import { isSplit } from "../lib/ports.ts";
import { roleIn } from "./chain.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import type { PlannedRoute } from "./release-plan.ts";
import { existingService, isMade, portsOf } from "./workload.ts";

/** The names under which clients reach a service, and by which Envoys' routes are found. */
export function hostsOf(service: ServiceSettings, clusterDomain: string): readonly string[] {
  return [
    serviceHost({ service: service.name, namespace: service.namespace }, clusterDomain),
    ...service.ingressHosts,
  ];
}

/**
 * The canary of a service, as checks know it.
 *
 * @param routes which say what the service needs for all requests. @default nobody asks
 */
export function canaryOf(
  service: ServiceSettings,
  clusterDomain: string,
  routes: readonly Pick<PlannedRoute, "service" | "cluster" | "needed">[] = [],
): Canary | undefined {
  const { name, namespace, canary } = service;
  const all = portsOf(service);
  const ports = all?.map(({ port }) => port);
  const tcpPorts = all?.filter((each) => !isSplit(each)).map(({ port }) => port) ?? [];
  return (
    canary && {
      service: name,
      namespace,
      canary: canary.version,
      ...(ports && { ports }),
      ...(tcpPorts.length > 0 && { tcpPorts }),
      existing: existingService(service),
      needed: new Map(
        routes.flatMap(({ cluster, needed, ...route }) =>
          route.service === service && needed ? [[cluster, needed.pods] as const] : [],
        ),
      ),
      host: serviceHost({ service: name, namespace }, clusterDomain),
      hosts: hostsOf(service, clusterDomain),
    }
  );
}

/** What a higher weight of the entries means for the chain. */
export function chainOfRise(
  { services, chain, mesh }: ReleaseSettings,
  routes: readonly PlannedRoute[],
): ChainOfRise | undefined {
  return (
    chain && {
      followers: services.flatMap((service) => {
        const canary = canaryOf(service, mesh.clusterDomain, routes);
        return canary && roleIn(chain, service) === "follower" ? [canary] : [];
      }),
      probe: {
        ...chain.probe,
        mark: chain.mark,
        clusterDomain: mesh.clusterDomain,
        services: services.filter(isMade).map((service) => ({
          service: service.name,
          namespace: service.namespace,
          key: serviceKey(idOf(service)),
          isEntry: roleIn(chain, service) === "entry",
          stable: service.stable.version,
          canary: service.canary?.version,
          port: service.port,
        })),
      },
    }
  );
}
