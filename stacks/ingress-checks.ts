import { pairProblems } from "../lib/certificates.ts";
import { hostObjection } from "../lib/ingress-paths.ts";
import { BAGGAGE } from "../lib/mark.ts";
import { INGRESS_GATEWAY_OBJECT } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import { shareOf } from "./ingress.ts";
import type { Chain, Ingress, Service } from "./schema.ts";

/** For each service its hosts outside the mesh: with one service, all of them. */
export function hostOwners(
  ingress: Ingress | undefined,
  services: readonly Service[],
): readonly (readonly string[])[] {
  return services.map(
    ({ ingressHosts }) => ingressHosts ?? (services.length === 1 ? (ingress?.hosts ?? []) : []),
  );
}

/** Whether the gateway that the mesh's stack has installed serves a service's hosts. */
export function usesMeshGateway({ ingressGateways }: Pick<Service, "ingressGateways">): boolean {
  return ingressGateways === undefined || ingressGateways.includes(INGRESS_GATEWAY_OBJECT);
}

/** What is wrong with the gateway of the mesh, and with the hosts that it serves. */
export function ingressProblems(
  ingress: Ingress | undefined,
  services: readonly Service[],
  now: Date,
): Problem[] {
  const tls = ingress?.tls;
  const hosts = ingress?.hosts ?? [];
  const { http = 80, https = 443 } = ingress?.ports ?? {};
  const owners = hostOwners(ingress, services);
  // Where every service has told its hosts, the others are for services of other stacks.
  const isShared = services.every(({ ingressHosts }) => ingressHosts !== undefined);
  return [
    ...(tls?.certificate === undefined && tls?.key === undefined
      ? []
      : pairProblems("ingress.tls", tls, now)),
    ...(tls?.httpsRedirect === true && (http !== 80 || https !== 443)
      ? [
          {
            path: "ingress.ports",
            value: ingress?.ports,
            rule: "must be the usual ones with ingress.tls.httpsRedirect: Envoy redirects to the port at which it was asked",
            fix: "Remove it; or set ingress.tls.httpsRedirect to false.",
          },
        ]
      : []),
    ...services.filter(usesMeshGateway).flatMap((service) =>
      (service.ingressHosts ?? [])
        .filter((host) => !hosts.includes(host))
        .map((host) => ({
          path: `services[${services.indexOf(service)}].ingressHosts`,
          value: host,
          rule: "must be one of ingress.hosts",
          fix: "Add it there, or remove it here.",
        })),
    ),
    ...hosts
      .filter((host) => !isShared && !owners.some((own) => own.includes(host)))
      .map((host) => ({
        path: "ingress.hosts",
        value: host,
        rule: "must lead to a service, but leads to none",
        fix: "List it under ingressHosts of the service that answers for it. If that is a service of another stack, give every service of this one its ingressHosts, [] for none.",
      })),
  ];
}

/** Hosts of which two services of a stack would have the same paths. */
export function hostProblems(
  ingress: Ingress | undefined,
  services: readonly Service[],
): Problem[] {
  const owners = hostOwners(ingress, services);
  return services.flatMap((service, i) =>
    services.slice(0, i).flatMap((other, j): Problem[] => {
      const host = owners[i]?.find((each) => owners[j]?.includes(each));
      // Which paths are others', the program knows of its own services.
      const others = [...(service.ingressPaths ?? []), ...(other.ingressPaths ?? [])];
      const objection =
        host === undefined
          ? undefined
          : hostObjection({ ...shareOf(service), others }, { ...shareOf(other), others });
      return objection
        ? [
            {
              path: `services[${i}].${service.ingressPaths ? "ingressPaths" : "ingressHosts"}`,
              value: host,
              rule: `must leave each path of a host to one service, but ${objection.seen} (services[${j}])`,
              fix: objection.fix,
            },
          ]
        : [];
    }),
  );
}

/** Headers of requests by which the program chooses the canary. */
function choosing(services: readonly Service[], chain: Chain | undefined): readonly string[] {
  const matches = services.flatMap((service) => service.matches);
  return [
    ...matches.flatMap(({ header }) => Object.keys(header ?? {})),
    ...(matches.some(({ cookie }) => cookie !== undefined) ? ["cookie"] : []),
    ...(chain ? [chain.mark.header, ...(chain.mark.baggage === undefined ? [] : [BAGGAGE])] : []),
  ];
}

/** Keys that say what is special about requests from outside. */
const INGRESS_KEYS = [
  "ingressPaths",
  "ingressPathsOfOthers",
  "ingressGateways",
  "rewrite",
  "headers",
] as const;

/** What does not go together within one service. */
export function ingressKeyProblems(
  services: readonly Service[],
  ingress: Ingress | undefined,
  chain: Chain | undefined,
): Problem[] {
  const owners = hostOwners(ingress, services);
  const chosenBy = choosing(services, chain);
  return services.flatMap((service, i): Problem[] => {
    const { set, add, remove } = service.headers?.request ?? {};
    const named = [...Object.keys(set ?? {}), ...Object.keys(add ?? {}), ...(remove ?? [])];
    // In a stack that joins a mesh, a service's hosts are always given.
    const given = owners[i]?.length === 0 ? INGRESS_KEYS.filter((key) => service[key]) : [];
    return [
      ...given.map((key) => ({
        path: `services[${i}].${key}`,
        value: service[key],
        rule: "must be left out of a service without ingressHosts: it is about requests from outside alone",
        fix: "List the hosts under ingressHosts, or remove it.",
      })),
      ...(service.ingressPaths && service.ingressPathsOfOthers
        ? [
            {
              path: `services[${i}].ingressPathsOfOthers`,
              value: service.ingressPathsOfOthers,
              rule: "must be left out with ingressPaths: all other paths are others'",
              fix: "Remove it.",
            },
          ]
        : []),
      ...[...new Set(named)]
        .filter((name) => chosenBy.includes(name))
        .map((name) => ({
          path: `services[${i}].headers.request`,
          value: name,
          rule: "must not name a header by which matches or a chain choose the canary",
          fix: "Choose another one, or leave it to clients.",
        })),
    ];
  });
}
