import * as z from "zod";

import { SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { OWNED } from "../../../lib/routing/routing-annotations.ts";
import type { RoutingScope } from "../cluster-routing.ts";
import type { RoutingKind } from "./routing-scope.ts";

/** An object that may route a service, as far as it says which requests it is about. */
interface Claimant {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly spec: {
    readonly host?: string | undefined;
    readonly hosts: readonly string[];
    readonly [field: string]: unknown;
  };
}

const destination = z.looseObject({ destination: z.looseObject({ host: z.string() }) });

/** Rules of a VirtualService: what is left out here counts as any request. */
const rules = z.array(
  z.looseObject({
    match: z.array(z.looseObject({ uri: z.record(z.string(), z.string()).optional() })).default([]),
    route: z.array(destination).default([]),
    delegate: z.unknown().optional(),
    mirror: z.unknown().optional(),
    mirrors: z.unknown().optional(),
  }),
);

/** Whether a pattern, as `*.web.svc.cluster.local` or `*`, covers a host. */
function covers(pattern: string, host: string): boolean {
  return pattern.startsWith("*") && host.endsWith(pattern.slice(1));
}

/** How the service's hosts in the mesh begin. */
function innerPrefix({ service, namespace }: RoutingScope): string {
  return `${service}.${namespace}.`;
}

/** A DestinationRule of the mesh's mTLS, and of nothing else. */
const meshTls = z.strictObject({
  host: z.string(),
  hosts: z.array(z.string()).length(0),
  trafficPolicy: z.strictObject({ tls: z.strictObject({ mode: z.literal("ISTIO_MUTUAL") }) }),
});

/** The names by which Istio knows the service, the short ones completed by an object's namespace too. */
function serviceNames({ service, namespace, hosts }: RoutingScope, from: string) {
  return [
    ...hosts,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    ...(from === namespace ? [service] : []),
  ];
}

/** Whether an object names the service or one of its hosts, whose short names Istio completes too. */
export function concerns({ metadata, spec }: Claimant, scope: RoutingScope): boolean {
  const names = serviceNames(scope, metadata.namespace);
  return [spec.host, ...spec.hosts].some((host) => host !== undefined && names.includes(host));
}

function gatewaysOf({ spec: { gateways } }: Claimant): readonly string[] {
  const named = z.array(z.string()).safeParse(gateways);
  return named.success && named.data.length > 0 ? named.data : ["mesh"];
}

/** Whether a match on the path leaves most paths to others. */
function isOnePath({ uri }: { uri?: Readonly<Record<string, string>> | undefined }): boolean {
  const path = uri?.["exact"] ?? uri?.["prefix"];
  return path?.startsWith("/") === true && (uri?.["exact"] !== undefined || path !== "/");
}

/**
 * Whether a VirtualService is for single paths of the ingress gateway's hosts, and leads to other services. A gateway
 * joins it with the program's, whose rules for any path come last. A sidecar joins nothing: it takes one of the two.
 */
function isBeside(object: Claimant, scope: RoutingScope): boolean {
  const { hosts, http, tls, tcp } = object.spec;
  const inner = innerPrefix(scope);
  const outside = scope.hosts.filter((host) => !host.startsWith(inner));
  const names = serviceNames(scope, object.metadata.namespace);
  const parsed = rules.safeParse(http);
  return (
    parsed.success &&
    tls === undefined &&
    tcp === undefined &&
    !gatewaysOf(object).includes("mesh") &&
    hosts.every((host) => !names.includes(host) || outside.includes(host)) &&
    parsed.data.every(
      ({ match, route, delegate, mirror, mirrors }) =>
        match.length > 0 &&
        match.every(isOnePath) &&
        // Where these lead is said elsewhere.
        delegate === undefined &&
        mirror === undefined &&
        mirrors === undefined &&
        route.every(
          ({ destination: { host } }) => !names.includes(host) && !host.startsWith(inner),
        ),
    )
  );
}

/** Whether a DestinationRule asks for nothing but the mesh's own mTLS, which Istio does anyway. */
function isMeshTls({ metadata, spec }: Claimant, { namespace }: RoutingScope): boolean {
  return (
    // In a client's namespace it would hide the service's own rule, and its subsets with it.
    [namespace, SYSTEM_NAMESPACE].includes(metadata.namespace) && meshTls.safeParse(spec).success
  );
}

/**
 * Whether a VirtualService that this program has made is another service's, which shares hosts of the gateway. That their
 * paths are apart, an update sees to.
 */
export function isSharing(object: Claimant, scope: RoutingScope): boolean {
  const { shared = [] } = scope;
  const names = serviceNames(scope, object.metadata.namespace);
  const { annotations = {} } = object.metadata;
  return (
    Object.entries(OWNED).every(([name, value]) => annotations[name] === value) &&
    object.spec.hosts.every((host) => !names.includes(host) || shared.includes(host))
  );
}

/** A condition of a rule for sidecars alone, or for a host that names a cluster. */
const inMesh = z.union([
  z.looseObject({ gateways: z.array(z.literal("mesh")).min(1) }),
  z.looseObject({ authority: z.looseObject({ prefix: z.string().regex(/\.mesh$/) }) }),
]);

/**
 * Whether a VirtualService of others leads single paths of hosts that the service shares to other services, whatever it
 * does in the mesh: another team's, or one that was handed back.
 */
export function isForOthersPaths(object: Claimant, scope: RoutingScope): boolean {
  const { service, namespace, shared = [] } = scope;
  const names = serviceNames(scope, object.metadata.namespace);
  const { hosts, http } = object.spec;
  const parsed = rules.safeParse(http);
  return (
    parsed.success &&
    hosts.every((host) => !names.includes(host) || shared.includes(host)) &&
    parsed.data.every(
      ({ match, route }) =>
        match.length > 0 &&
        match.every((each) => inMesh.safeParse(each).success || isOnePath(each)) &&
        route.every(
          ({ destination: { host } }) =>
            !names.includes(host) && !host.startsWith(`${service}.${namespace}.`),
        ),
    )
  );
}

/** The wildcard by which an object of others applies to the service inside the mesh. */
function wildcardOf(kind: RoutingKind, object: Claimant, scope: RoutingScope): string | undefined {
  // A ServiceEntry's wildcard gives way to the service. A gateway takes the program's host, which is more specific.
  if (kind === "ServiceEntry") return undefined;
  if (kind === "VirtualService" && !gatewaysOf(object).includes("mesh")) return undefined;
  if (kind === "DestinationRule" && isMeshTls(object, scope)) return undefined;
  const { host, hosts } = object.spec;
  const inner = scope.hosts.filter((each) => each.startsWith(innerPrefix(scope)));
  return [...(host === undefined ? [] : [host]), ...hosts].find((pattern) =>
    inner.some((each) => covers(pattern, each)),
  );
}

/** How an object of others routes the service, as `Kind namespace/name`, or undefined if it does not. */
export function claimOf(
  kind: RoutingKind,
  object: Claimant,
  scope: RoutingScope,
): string | undefined {
  const { namespace, name } = object.metadata;
  const text = `${kind} ${namespace}/${name}`;
  if (concerns(object, scope)) {
    const isApart =
      kind === "VirtualService" && (isBeside(object, scope) || isSharing(object, scope));
    return isApart ? undefined : text;
  }
  const wildcard = wildcardOf(kind, object, scope);
  return wildcard === undefined ? undefined : `${text} (by its host ${wildcard})`;
}
