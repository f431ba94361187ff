import { serviceHost, type ServiceName } from "../names.ts";
import { shares, type Split } from "../weights.ts";
import { OWNED, REPLACES } from "./routing-annotations.ts";
import { versionLabels } from "./version-labels.ts";

/** A request that goes to the canary at any weight, even 0. What is named here must all hold. */
export interface RequestMatch {
  /** Header names in lower case and the exact value of each. */
  readonly header?: Readonly<Record<string, string>> | undefined;
  /** One cookie and its exact value. */
  readonly cookie?: Readonly<Record<string, string>> | undefined;
}

export interface Retries {
  /** Tries after the first one. */
  readonly attempts: number;
  /** Time limit of one try, as a duration like `3s`. @default the route's timeout */
  readonly perTryTimeout?: string | undefined;
  /** Envoy's conditions, joined by commas. @default "connect-failure,refused-stream,unavailable,cancelled" */
  readonly on?: string | undefined;
}

export interface VirtualServiceArgs extends ServiceName, Split {
  readonly clusterDomain: string;
  /** Requests that reach the canary at any weight. Without a canary they have no effect. */
  readonly matches: readonly RequestMatch[];
  /** Time limit of a request with all its retries, as a duration like `10s`. */
  readonly timeout: string;
  readonly retries: Retries;
  /** Percent of the requests that are also sent to the canary, whose answers are thrown away. */
  readonly mirrorPercent: number;
  /** Hosts that name this service in one other cluster each. */
  readonly crossClusterHosts: readonly string[];
  /** Hosts by which clients outside reach the service. */
  readonly ingressHosts: readonly string[];
  /** The Gateway that serves them, as `namespace/name`. */
  readonly ingressGateway: string;
  /** Value of the annotation REPLACES. @default none */
  readonly replaces?: string | undefined;
}

/** A regular expression (RE2) that matches a Cookie header which holds the cookie, at any place. */
export function cookiePattern(name: string, value: string): string {
  const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return `(?:.*;\\s*)?${escape(name)}=${escape(value)}(?:\\s*;.*)?`;
}

type StringMatch = { readonly exact: string } | { readonly regex: string };

function headers({ header = {}, cookie = {} }: RequestMatch): Record<string, StringMatch> {
  const exact = Object.entries(header).map(([name, value]): [string, StringMatch] => [
    name,
    { exact: value },
  ]);
  const cookies = Object.entries(cookie).map(([name, value]): [string, StringMatch] => [
    "cookie",
    { regex: cookiePattern(name, value) },
  ]);
  return Object.fromEntries([...exact, ...cookies]);
}

/**
 * A service's one VirtualService. Every host has the same two rules, on its own destination: first
 * the requests that ask for the canary, then the weights.
 */
export function virtualService(args: VirtualServiceArgs) {
  const { canary, matches, timeout, retries, mirrorPercent, ingressHosts } = args;
  const ownHost = serviceHost(args, args.clusterDomain);
  const policy = {
    timeout,
    retries: {
      attempts: retries.attempts,
      retryOn: retries.on ?? "connect-failure,refused-stream,unavailable,cancelled",
      ...(retries.perTryTimeout !== undefined && { perTryTimeout: retries.perTryTimeout }),
    },
  };

  /** The rules for requests to `host`; `authority` tells them from those to other hosts. */
  const rules = (host: string, label: string, authority?: { prefix: string }) => {
    const condition = authority && { authority };
    const forCanary =
      canary === undefined || matches.length === 0
        ? []
        : [
            {
              name: `${label}-canary`,
              match: matches.map((match) => ({ ...condition, headers: headers(match) })),
              route: [{ destination: { host, subset: canary } }],
              ...policy,
            },
          ];
    return [
      ...forCanary,
      {
        name: `${label}-weights`,
        ...(condition && { match: [condition] }),
        route: shares(args).map(({ version, weight }) => ({
          destination: { host, subset: version },
          weight,
        })),
        ...policy,
        ...(canary !== undefined &&
          mirrorPercent > 0 && {
            mirror: { host, subset: canary },
            mirrorPercentage: { value: mirrorPercent },
          }),
      },
    ];
  };

  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: {
      name: args.service,
      namespace: args.namespace,
      labels: versionLabels(args),
      annotations: {
        ...OWNED,
        ...(args.replaces !== undefined && { [REPLACES]: args.replaces }),
      },
    },
    spec: {
      hosts: [ownHost, ...args.crossClusterHosts, ...ingressHosts],
      gateways: ["mesh", ...(ingressHosts.length > 0 ? [args.ingressGateway] : [])],
      http: [
        // A prefix, since the authority may carry the port; no host of the mesh is another's prefix.
        ...args.crossClusterHosts.flatMap((host) => rules(host, host, { prefix: host })),
        ...rules(ownHost, args.service),
      ],
    },
  };
}
