import type { CanaryRouting } from "../components/canary-route.ts";
import type { HostShare } from "../lib/ingress-paths.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import type { ServiceSettings } from "./config.ts";
import type { Service } from "./schema.ts";

/** How clients outside reach a service; undefined where no gateway is known. */
export function ingressOf(
  service: ServiceSettings,
  meshGateway: string | undefined,
): CanaryRouting["ingress"] {
  const { ingressHosts: hosts, ingressPaths, othersPaths, rewrite, headers } = service;
  const gateways = service.ingressGateways;
  const gateway = gateways?.[0] ?? meshGateway;
  return gateway === undefined
    ? undefined
    : {
        gateway,
        hosts,
        ...(gateways && { gateways }),
        ...(ingressPaths && { paths: ingressPaths }),
        ...(othersPaths && { othersPaths }),
        ...(rewrite && { rewrite }),
        ...(headers && { headers }),
      };
}

/** What a service has of its hosts at the gateway. */
export function shareOf(
  service: Pick<Service, "name" | "namespace" | "ingressPaths" | "ingressPathsOfOthers">,
): HostShare {
  return {
    service: serviceKey(idOf(service)),
    paths: service.ingressPaths,
    others: service.ingressPathsOfOthers,
  };
}
