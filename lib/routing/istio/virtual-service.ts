import type { IVirtualService } from "@kubernetes-models/istio/networking.istio.io/v1/VirtualService";
import { NO_LIMIT } from "../../duration.ts";
import { pathsPattern } from "../../ingress-paths.ts";
import { serviceHost } from "../../names.ts";
import { isSplit, TCP_SUBSET } from "../../ports.ts";
import {
  chainAnnotations,
  CONTEXTS,
  destinationsAnnotation,
  EXISTING,
  ingressAnnotation,
  OWNED,
  REPLACES,
} from "../routing-annotations.ts";
import { versionName } from "../../version-name.ts";
import type { RouteArgs } from "../routing.ts";
import { versionLabels } from "../version-labels.ts";
import { hostsPattern, ingressLabel } from "./ingress-names.ts";
import { routingRules } from "./routing-rules.ts";

/** Conditions under which a request has certainly not reached the service. */
const NOT_SENT = "connect-failure,refused-stream";

/** One more: the connection was lost before the request was written to it. */
const NOT_WRITTEN = "reset-before-request";

/** What a request's host must be. It may carry the port. */
type Authority =
  /** No host of the mesh is another's prefix. */
  { readonly prefix: string } | { readonly regex: string };

/** A host of a gateway, which clients outside may write in any case. */
function outside(host: string): Authority {
  return { regex: hostsPattern([host]) };
}

/** A part of a rule's match. */
type Condition = Readonly<Record<string, unknown>>;

/** How a rule is for requests from outside alone, or for those inside the mesh. */
interface Audience {
  /** One of these must hold, of a rule for any request. @default none is asked */
  readonly any: readonly Condition[];
  /** The same of a rule for requests with certain headers. */
  readonly withHeaders: readonly Condition[];
}

/**
 * What tells requests from outside from those inside the mesh, where it matters; undefined where the same rules do for
 * both. A gateway joins the rules of all VirtualServices of a host in an order that Istio does not define, save that
 * those for any path and any header come last. So a rule for a header, which does not, must leave out the paths of
 * others; and one for any path must have no other condition than the gateway.
 */
function audiences(args: RouteArgs, hasHeaders: boolean, hasPort: boolean) {
  const { ingress = {}, ingressHosts, ingressGateway } = args;
  const { paths, othersPaths = [], rewrite, headers, gateways = [ingressGateway] } = ingress;
  const mustLeaveOut = othersPaths.length > 0 && (hasHeaders || hasPort);
  if (ingressHosts.length === 0) return undefined;
  if (!paths && !rewrite && !headers && !mustLeaveOut) return undefined;
  const here: Condition = { gateways: [...gateways] };
  const own = (paths ?? []).map((uri): Condition => ({ ...here, uri }));
  // A sidecar joins nothing: with a host of several services it takes the rules of one of them.
  const mesh: Condition = {
    gateways: ["mesh"],
    ...(paths && { withoutHeaders: { ":authority": { regex: hostsPattern(ingressHosts) } } }),
  };
  const outside: Audience = paths
    ? { any: own, withHeaders: own }
    : {
        any: [here],
        withHeaders: [
          {
            ...here,
            ...(othersPaths.length > 0 && {
              withoutHeaders: { ":path": { regex: pathsPattern(othersPaths) } },
            }),
          },
        ],
      };
  return { outside, mesh: { any: [mesh], withHeaders: [mesh] } satisfies Audience };
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
  const preference = args.policies?.preference;
  const notSent = preference === undefined ? NOT_SENT : `${NOT_SENT},${NOT_WRITTEN}`;
  const policy = {
    // Without one Istio sets no limit; its CRD refuses 0s.
    ...(timeout !== NO_LIMIT && { timeout }),
    retries: {
      attempts: retries.attempts,
      retryOn:
        retries.on ??
        (ports.some(({ protocol }) => protocol === "grpc")
          ? notSent
          : `${notSent},unavailable,cancelled`),
      ...(retries.perTryTimeout !== undefined && { perTryTimeout: retries.perTryTimeout }),
      // The third try goes to another cluster: until all pods of the own one are ejected, only there it can succeed.
      ...(preference === "own-first" && { retryRemoteLocalities: true }),
    },
  };

  // Whoever gives it has checked it.
  const cors: object = args.corsPolicy ? { corsPolicy: args.corsPolicy } : {};

  const split = routingRules(args);
  const apart = audiences(
    args,
    split.some(({ headers }) => headers !== undefined),
    ingressPort !== undefined,
  );

  /** The rules for requests to `host`; `audience` tells them from others. */
  const rules = (
    host: string,
    label: string,
    audience: Audience = { any: [], withHeaders: [{}] },
    port?: number,
    more: object = {},
  ) =>
    split.map(({ purpose, headers, destinations }) => ({
      name: `${label}-${purpose}`,
      ...(headers
        ? {
            match: audience.withHeaders.flatMap((condition) =>
              headers.map((each) => ({ ...condition, headers: each })),
            ),
          }
        : audience.any.length > 0 && { match: [...audience.any] }),
      route: destinations.map(({ version, weight, change }) => ({
        destination: {
          host,
          ...(!unnamed && { subset: versionName(version) }),
          ...(port !== undefined && { port: { number: port } }),
        },
        ...(weight !== undefined && { weight }),
        ...(change && { headers: { request: change } }),
      })),
      ...policy,
      ...cors,
      ...more,
      ...(canary !== undefined &&
        mirrorPercent > 0 &&
        destinations.length > 1 && {
          mirror: {
            host,
            subset: versionName(canary),
            ...(port !== undefined && { port: { number: port } }),
          },
          mirrorPercentage: { value: mirrorPercent },
        }),
    }));
  const byAuthority = (authorities: readonly Authority[]): Audience => {
    const conditions = authorities.map((authority) => ({ authority }));
    return { any: conditions, withHeaders: conditions };
  };
  /** All requests to a host whose cluster has not the versions of the others go to one that it has. */
  const kept = (host: string, version: string) => ({
    name: `${host}-weights`,
    match: [{ authority: { prefix: host } }],
    route: [{ destination: { host, subset: versionName(version) } }],
    ...policy,
    ...cors,
  });
  const { gateways = [args.ingressGateway], rewrite, headers } = args.ingress ?? {};
  const forOutside = () => {
    const label = ingressLabel(args.service);
    if (apart) {
      // Whoever gives them has checked them.
      const changes = { ...(rewrite && { rewrite }), ...(headers && { headers }) };
      return rules(ownHost, label, apart.outside, ingressPort, changes);
    }
    return ingressPort === undefined
      ? []
      : rules(ownHost, label, byAuthority(ingressHosts.map(outside)), ingressPort);
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
        ...(ingressHosts.length > 0 && ingressAnnotation(args.ingress)),
        ...(args.replaces !== undefined && { [REPLACES]: args.replaces }),
        ...(args.chain?.role === "entry" && chainAnnotations(args.chain.mark, args.members ?? [])),
      },
    },
    spec: {
      hosts: [ownHost, ...args.crossClusterHosts, ...ingressHosts],
      gateways: ["mesh", ...(ingressHosts.length > 0 ? gateways : [])],
      http: [
        ...args.crossClusterHosts.flatMap((host) => {
          const version = args.hostVersions?.[host];
          return version === undefined
            ? rules(host, host, byAuthority([{ prefix: host }]))
            : [kept(host, version)];
        }),
        ...forOutside(),
        ...rules(ownHost, args.service, apart?.mesh),
      ],
      ...(tcp.length > 0 && { tcp }),
    },
  } satisfies IVirtualService;
}
