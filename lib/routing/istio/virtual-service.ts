import { serviceHost, type ServiceName } from "../../names.ts";
import { chainAnnotations, CONTEXTS, OWNED, REPLACES } from "./routing-annotations.ts";
import { routingRules, type RuleArgs } from "./routing-rules.ts";
import { versionLabels } from "./version-labels.ts";

export interface Retries {
  /** Tries after the first one. */
  readonly attempts: number;
  /** Time limit of one try, as a duration like `3s`. @default the route's timeout */
  readonly perTryTimeout?: string | undefined;
  /** Envoy's conditions, joined by commas. @default "connect-failure,refused-stream,unavailable,cancelled" */
  readonly on?: string | undefined;
}

export interface VirtualServiceArgs extends ServiceName, RuleArgs {
  readonly clusterDomain: string;
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
  /** All services of the chain, as `namespace/name`. @default none */
  readonly members?: readonly string[] | undefined;
  /** Kubeconfig contexts of all clusters, by which `release zero` finds them. @default not recorded */
  readonly contexts?: readonly string[] | undefined;
  /** Value of the annotation REPLACES. @default none */
  readonly replaces?: string | undefined;
}

/** A service's one VirtualService. Every host has the same rules, on its own destination. */
export function virtualService(args: VirtualServiceArgs) {
  const { canary, timeout, retries, mirrorPercent, ingressHosts } = args;
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
    return routingRules(args).map(({ purpose, headers, destinations }) => ({
      name: `${label}-${purpose}`,
      ...(headers
        ? { match: headers.map((each) => ({ ...condition, headers: each })) }
        : condition && { match: [condition] }),
      route: destinations.map(({ version, weight, change }) => ({
        destination: { host, subset: version },
        ...(weight !== undefined && { weight }),
        ...(change && { headers: { request: change } }),
      })),
      ...policy,
      ...(canary !== undefined &&
        mirrorPercent > 0 &&
        destinations.length > 1 && {
          mirror: { host, subset: canary },
          mirrorPercentage: { value: mirrorPercent },
        }),
    }));
  };

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
        ...(args.replaces !== undefined && { [REPLACES]: args.replaces }),
        ...(args.chain?.role === "entry" && chainAnnotations(args.chain.mark, args.members ?? [])),
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
