import { isIP } from "node:net";
import { gatewayLabels } from "../helm-values.ts";
import {
  EAST_WEST_GATEWAY,
  EAST_WEST_PORT,
  GATEWAY_PORT_LABEL,
  SYSTEM_NAMESPACE,
} from "../names.ts";
import type { IstioFinding, IstioPlace, WantedMesh } from "./finding.ts";
import {
  coversHost,
  type FoundEastWestGateway,
  type FoundGateway,
  type FoundIstio,
  type FoundServer,
} from "./found.ts";

/** Protocols of which a gateway routes requests. */
const REQUESTS = ["HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB"];

/** Whether the clusters are in networks of their own, and reach each other by gateways. */
export function haveOwnNetworks(places: readonly IstioPlace[]): boolean {
  return new Set(places.map(({ found }) => found.network)).size > 1;
}

/**
 * Where other clusters reach a cluster: what the configuration says, or the IP addresses of its gateway, or the host names
 * of one that has no others.
 */
export function eastWestAddresses({ cluster, found }: IstioPlace): readonly string[] {
  const all = eastWestOf(found)?.addresses ?? [];
  const fixed = all.filter((address) => isIP(address) !== 0);
  return cluster.eastWestAddresses ?? (fixed.length > 0 ? fixed : all);
}

/** The port at which they do, in the same way; undefined for Istio's own. */
export function eastWestPort({ cluster, found }: IstioPlace): number | undefined {
  const port = cluster.eastWestPort ?? eastWestOf(found)?.port;
  return port === EAST_WEST_PORT ? undefined : port;
}

function eastWestOf({ eastWest, network }: FoundIstio): FoundEastWestGateway | undefined {
  return eastWest.find((each) => each.network === network);
}

function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** Whether a Gateway object lets mTLS for the services of the cluster through, by their server names. */
function passesThrough(
  { servers, selector }: FoundGateway,
  gateway: FoundEastWestGateway,
  clusterDomain: string,
): boolean {
  return (
    selects(selector, gateway.selector) &&
    servers.some(
      ({ port, tlsMode, hosts }) =>
        [gateway.port, gateway.targetPort].includes(port) &&
        tlsMode === "AUTO_PASSTHROUGH" &&
        hosts.some((host) =>
          coversHost(host.split("/").at(-1) ?? "", `service.namespace.svc.${clusterDomain}`),
        ),
    )
  );
}

/** The ways between the clusters' networks. */
function eastWestFindings(places: readonly IstioPlace[]): IstioFinding[] {
  if (!haveOwnNetworks(places)) return [];
  const label = gatewayLabels(EAST_WEST_GATEWAY).istio;
  return places.flatMap((place, i): IstioFinding[] => {
    const { cluster, path, found } = place;
    const harm = (key: string, rule: string, fix: string): IstioFinding[] => [
      { kind: "harm", path: `${path}.${key}`, rule, fix },
    ];
    const first = places.findIndex((each) => each.found.network === found.network);
    if (found.network === undefined || first < i) {
      return harm(
        "network",
        found.network === undefined
          ? `must be said by the label topology.istio.io/network of namespace ${SYSTEM_NAMESPACE} in ${cluster.name}, since other clusters have one`
          : `must be a network that no other cluster has, or that all have: ${found.network} is that of ${places[first]?.cluster.name ?? ""} too, but not of all`,
        "Have the owner give each cluster a network of its own, or all of them the same.",
      );
    }
    const gateway = eastWestOf(found);
    if (!gateway) {
      return harm(
        "eastWestAddresses",
        `must lead to an east-west gateway, but ${cluster.name} has no Service with the label topology.istio.io/network: ${found.network} and port ${EAST_WEST_PORT}, or the one that its label ${GATEWAY_PORT_LABEL} says`,
        "Have the owner install one.",
      );
    }
    return [
      ...(eastWestAddresses(place).length > 0
        ? []
        : harm(
            "eastWestAddresses",
            `must be given: Service ${gateway.service} of ${cluster.name} has no address`,
            "Write the addresses by which the other clusters reach it.",
          )),
      ...(gateway.selector["istio"] === label
        ? []
        : harm(
            "eastWestAddresses",
            `must lead to pods with the label istio: ${label}, by which they are asked whether they hold the canary, but Service ${gateway.service} of ${cluster.name} does not select by it`,
            `Have the owner install the gateway as Istio's documentation does, with the name ${EAST_WEST_GATEWAY}.`,
          )),
      ...(found.gateways.some((each) => passesThrough(each, gateway, found.clusterDomain))
        ? []
        : harm(
            "eastWestAddresses",
            `must lead to a gateway that passes mTLS through, but no Gateway object of ${cluster.name} has a server for its pods with port ${gateway.port}, tls.mode AUTO_PASSTHROUGH and hosts that cover *.${found.clusterDomain}`,
            "Have the owner expose the services as Istio's documentation does (cross-network-gateway).",
          )),
    ];
  });
}

/** Whether a server of a Gateway takes requests for a host to a service in a namespace. */
function takes(
  { protocol, tlsMode, hosts }: FoundServer,
  home: string,
  host: string,
  namespace: string,
): boolean {
  return (
    REQUESTS.includes(protocol.toUpperCase()) &&
    !["PASSTHROUGH", "AUTO_PASSTHROUGH"].includes(tlsMode ?? "") &&
    hosts.some((each) => {
      const [pattern = "", from = "*"] = each.split("/").reverse();
      const isFor = from === "*" || (from === "." ? home : from) === namespace;
      return isFor && coversHost(pattern, host);
    })
  );
}

/** The Gateway object of the configuration, in one cluster. */
function ingressFindings(
  { gateway: wanted, services }: WantedMesh,
  { cluster: { name }, found }: IstioPlace,
): IstioFinding[] {
  if (wanted === undefined) return [];
  const gateway = found.gateways.find((each) => `${each.namespace}/${each.name}` === wanted);
  const path = "ingress.gateway";
  if (!gateway) {
    return [
      {
        kind: "problem",
        path,
        value: wanted,
        rule: `must be a Gateway object in every cluster, but ${name} has none of this name`,
        fix: "Correct it to NAMESPACE/NAME, or have the owner make it there.",
      },
    ];
  }
  return [
    ...(found.ingressPods > 0
      ? []
      : [
          {
            kind: "problem" as const,
            path,
            value: wanted,
            rule: `must select pods that run, but in ${name} none has the labels ${JSON.stringify(gateway.selector)}`,
            fix: "Have the owner correct its selector, or start the gateway.",
          },
        ]),
    ...services.flatMap(({ namespace, ingressHosts = [], ingressGateways }, i) =>
      ingressHosts
        .filter(
          (host) =>
            (ingressGateways ?? [wanted]).includes(wanted) &&
            !gateway.servers.some((server) => takes(server, gateway.namespace, host, namespace)),
        )
        .map((host): IstioFinding => ({
          kind: "problem",
          path: `services[${i}].ingressHosts`,
          value: host,
          rule: `must be a host for which Gateway ${wanted} takes requests to namespace ${namespace} in every cluster, but in ${name} no server of it does`,
          fix: "Have the owner add it to the Gateway, or remove it here.",
        })),
    ),
  ];
}

/** What speaks against the gateways, between the clusters and for clients outside. */
export function gatewayFindings(
  wanted: WantedMesh,
  places: readonly IstioPlace[],
): readonly IstioFinding[] {
  return [
    ...eastWestFindings(places),
    ...places.flatMap((place) => ingressFindings(wanted, place)),
  ];
}
