import type { ExistingService, ExistingWorkload } from "../lib/existing.ts";
import { SERVICE_PORT } from "../lib/names.ts";
import type { ServicePort } from "../lib/ports.ts";
import type { Policies } from "../lib/routing/routing.ts";
import type { ServiceSettings } from "./config.ts";
import type { Service } from "./schema.ts";

/** A version whose pods the program makes. */
type MadeVersion = Service["stable"] & { readonly image: string };

/** A service whose pods the program makes. */
export type MadeService = ServiceSettings & {
  readonly port: number;
  readonly stable: MadeVersion;
  readonly canary?: MadeVersion | undefined;
};

/** Whether the program makes the service's pods; checks of the configuration see to it that it then knows how. */
export function isMade(service: ServiceSettings): service is MadeService {
  return service.workload !== "existing";
}

/** How the pods of a service are found that are somebody else's; undefined of one that the program makes. */
export function existingOf({
  name,
  workload,
  servicePort = SERVICE_PORT,
  versionLabel = "version",
  serviceAccounts = [name],
  ...more
}: Pick<
  Service,
  | "name"
  | "workload"
  | "servicePort"
  | "versionLabel"
  | "serviceAccounts"
  | "protocol"
  | "morePorts"
>): ExistingWorkload | undefined {
  const ports = portsOf({ ...more, servicePort });
  return workload === "existing"
    ? { port: servicePort, versionLabel, serviceAccounts, ...(ports && { ports }) }
    : undefined;
}

/** The same with its name and its versions; undefined of one that the program makes. */
export function existingService(service: ServiceSettings): ExistingService | undefined {
  const { name, namespace, stable, canary, ingressHosts } = service;
  const workload = existingOf(service);
  return (
    workload && {
      ...workload,
      service: name,
      namespace,
      stable: stable.version,
      canary: canary?.version,
      isCalledFromOutside: ingressHosts.length > 0,
    }
  );
}

/** The policies of a service's destinations; undefined where nothing but Istio's defaults is wanted. */
export function policiesOf({
  clusterPreference: preference,
  trafficPolicy: all,
  stable,
  canary,
}: Pick<ServiceSettings, "clusterPreference" | "trafficPolicy" | "stable" | "canary">):
  Policies | undefined {
  const versions = Object.fromEntries(
    [stable, canary].flatMap((each) =>
      each?.trafficPolicy ? [[each.version, each.trafficPolicy] as const] : [],
    ),
  );
  const hasOwn = Object.keys(versions).length > 0;
  return preference || all || hasOwn
    ? { ...(preference && { preference }), ...(all && { all }), ...(hasOwn && { versions }) }
    : undefined;
}

/** The ports under which a service is called; undefined where it is the one HTTP port alone. */
export function portsOf({
  protocol,
  morePorts = [],
  servicePort = SERVICE_PORT,
}: Pick<Service, "protocol" | "morePorts" | "servicePort">): readonly ServicePort[] | undefined {
  return protocol === undefined && morePorts.length === 0
    ? undefined
    : [
        { port: servicePort, protocol: protocol ?? "http" },
        ...morePorts.map((each) => ({ port: each.port, protocol: each.protocol })),
      ];
}
