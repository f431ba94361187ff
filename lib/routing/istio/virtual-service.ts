import type { IVirtualService } from "@kubernetes-models/istio/networking.istio.io/v1/VirtualService";
import { NO_LIMIT } from "../../duration.ts";
import { serviceHost } from "../../names.ts";
import { isSplit, TCP_SUBSET } from "../../ports.ts";
import { literal } from "../../re2.ts";
import {
  chainAnnotations,
  CONTEXTS,
  destinationsAnnotation,
  EXISTING,
  OWNED,
  REPLACES,
} from "../routing-annotations.ts";
import type { RouteArgs } from "../routing.ts";
import { versionLabels } from "../version-labels.ts";
import { routingRules } from "./routing-rules.ts";

/** Conditions under which a request has certainly not reached the service. */
const NOT_SENT = "connect-failure,refused-stream";

/** What a request's host must be. It may carry the port. */
type Authority =
  /** No host of the mesh is another's prefix. */
  { readonly prefix: string } | { readonly regex: string };

/** A host of a gateway, which clients outside may write in any case. */
function outside(host: string): Authority {
  return { regex: `(?i)${literal(host)}(:\\d+)?` };
}

/**
 * A service's one VirtualService. Every host has the same rules, on its own destination. While a service that others
 * have made has no canary, its rules name no version: requests go to all its pods, whatever their owner calls them.
 */
export function virtualService(args: RouteArgs) {
  const { canary, timeout, retries, mirrorPercent, ingressHosts } = args;
  const unnamed = args.existing !== undefined && canary === undefined;
  const ownHost = serviceHost(args, args.clusterDomain);
  const ports = args.ports ?? [];
  const [first] = ports;
  // With one port Istio knows which one is meant; a gateway's own number says nothing of it where there are several.
  const ingressPort = ingressHosts.length > 0 && ports.length > 1 ? first?.port : undefined;
  const policy = {
    // Without one Istio sets no limit; its CRD refuses 0s.
    ...(timeout !== NO_LIMIT && { timeout }),
    retries: {
      attempts: retries.attempts,
      retryOn:
        retries.on ??
        (ports.some(({ protocol }) => protocol === "grpc")
          ? NOT_SENT
          : `${NOT_SENT},unavailable,cancelled`),
      ...(retries.perTryTimeout !== undefined && { perTryTimeout: retries.perTryTimeout }),
    },
  };

  // Whoever gives it has checked it.
  const cors: object = args.corsPolicy ? { corsPolicy: args.corsPolicy } : {};

  /** The rules for requests to `host`; `authorities` tell them from those to other hosts. */
  const rules = (
    host: string,
    label: string,
    authorities: readonly Authority[] = [],
    port?: number,
  ) => {
    const conditions = authorities.map((authority) => ({ authority }));
    return routingRules(args).map(({ purpose, headers, destinations }) => ({
      name: `${label}-${purpose}`,
      ...(headers
        ? {
            match: (conditions.length > 0 ? conditions : [{}]).flatMap((condition) =>
              headers.map((each) => ({ ...condition, headers: each })),
            ),
          }
        : conditions.length > 0 && { match: conditions }),
      route: destinations.map(({ version, weight, change }) => ({
        destination: {
          host,
          ...(!unnamed && { subset: version }),
          ...(port !== undefined && { port: { number: port } }),
        },
        ...(weight !== undefined && { weight }),
        ...(change && { headers: { request: change } }),
      })),
      ...policy,
      ...cors,
      ...(canary !== undefined &&
        mirrorPercent > 0 &&
        destinations.length > 1 && {
          mirror: { host, subset: canary, ...(port !== undefined && { port: { number: port } }) },
          mirrorPercentage: { value: mirrorPercent },
        }),
    }));
  };

  /** Connections stay with a version for as long as they are open, and no gate sees what they carry: none is split. */
  const tcp = unnamed
    ? []
    : ports
        .filter((each) => !isSplit(each))
        .map(({ port }) => ({
          match: [{ port, gateways: ["mesh"] }],
          route: [{ destination: { host: ownHost, subset: TCP_SUBSET, port: { number: port } } }],
        }));

  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: {
      name: args.service,
      namespace: args.namespace,
      labels: versionLabels(args, args.chain?.role),
      annotations: {
        ...OWNED,
        ...(args.contexts && { [CONTEXTS]: JSON.stringify(args.contexts) }),
        ...(args.existing && EXISTING),
        ...destinationsAnnotation(args),
        ...(args.replaces !== undefined && { [REPLACES]: args.replaces }),
        ...(args.chain?.role === "entry" && chainAnnotations(args.chain.mark, args.members ?? [])),
      },
    },
    spec: {
      hosts: [ownHost, ...args.crossClusterHosts, ...ingressHosts],
      gateways: ["mesh", ...(ingressHosts.length > 0 ? [args.ingressGateway] : [])],
      http: [
        ...args.crossClusterHosts.flatMap((host) => rules(host, host, [{ prefix: host }])),
        ...(ingressPort === undefined
          ? []
          : rules(ownHost, `${args.service}-ingress`, ingressHosts.map(outside), ingressPort)),
        ...rules(ownHost, args.service),
      ],
      ...(tcp.length > 0 && { tcp }),
    },
  } satisfies IVirtualService;
}
