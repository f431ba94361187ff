import type { V1Pod } from "@kubernetes/client-node";
import * as z from "zod";
import { isDeepStrictEqual } from "node:util";
import { ASK_ENVOYS } from "../../../lib/ask-envoys.ts";
import type { EnvoyRouting } from "../../../lib/routing/differences.ts";
import { crossClusterHost } from "../../../lib/names.ts";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import { OWNED } from "../../../lib/routing/routing-annotations.ts";
import type { RoutingRules } from "../../../lib/routing/routing.ts";
import { answersOf } from "../../ask-pods.ts";
import { podKey, type ClusterClient } from "../../cluster-client.ts";
import { isSidecar } from "../../proxy-pod.ts";
import { sampled } from "../../sample.ts";
import type { LiveRouting, RoutingScope } from "../cluster-routing.ts";
import { claimOf, concerns, isForOthersPaths, isSharing } from "./claims.ts";
import { virtualHostsOf } from "./envoy.ts";
import type { VirtualHost } from "./route-tables.ts";
import { PLURALS, ROUTING_KINDS, type RoutingKind } from "./routing-scope.ts";

const routingObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({
    host: z.string().optional(),
    hosts: z.array(z.string()).default([]),
    endpoints: z.unknown().optional(),
  }),
});
type RoutingObject = z.infer<typeof routingObject>;
const list = z.looseObject({ items: z.array(routingObject) });

async function objectsOf(cluster: ClusterClient, kind: RoutingKind): Promise<RoutingObject[]> {
  return list.parse(
    await cluster.custom.listCustomObjectForAllNamespaces({
      group: GROUP,
      version: VERSION,
      resourcePlural: PLURALS[kind],
    }),
  ).items;
}

function hasOwnName(kind: RoutingKind, { metadata }: RoutingObject, scope: RoutingScope): boolean {
  return (
    metadata.namespace === scope.namespace && (scope.objects[kind] ?? []).includes(metadata.name)
  );
}

/** Whether this program has made an object: what an update that has failed left behind, too. */
function isOwned({ metadata: { annotations = {} } }: RoutingObject): boolean {
  return Object.entries(OWNED).every(([name, value]) => annotations[name] === value);
}

/** Whether an object would be the service's VirtualService or DestinationRule, or is for a host that names a cluster. */
function isAdoptable(kind: RoutingKind, { metadata, spec }: RoutingObject, scope: RoutingScope) {
  const { service, namespace } = scope;
  if (metadata.name === service) return kind !== "ServiceEntry";
  const [host, ...others] = spec.host === undefined ? spec.hosts : [spec.host, ...spec.hosts];
  const cluster = metadata.name.slice(service.length + 1);
  return others.length === 0 && host === crossClusterHost({ service, namespace }, cluster);
}

/** Objects of others that route a service already, as `Kind namespace/name`, with the wildcard by which they do. */
export async function claimsOf(
  cluster: ClusterClient,
  scope: RoutingScope,
  adopts = false,
): Promise<readonly string[]> {
  const kinds = await Promise.all(
    ROUTING_KINDS.map(async (kind) => ({ kind, all: await objectsOf(cluster, kind) })),
  );
  return kinds.flatMap(({ kind, all }) =>
    all.flatMap((object) => {
      const { namespace, name } = object.metadata;
      const claim = hasOwnName(kind, object, scope)
        ? isOwned(object) || (adopts && isAdoptable(kind, object, scope))
          ? undefined
          : `${kind} ${namespace}/${name}`
        : claimOf(kind, object, scope);
      return claim === undefined ? [] : [claim];
    }),
  );
}

/**
 * What is compared of a spec: where gateways are reached, and whether by name, is the mesh's, no state of a release. Records
 * have the resolution that addresses have.
 */
function compared(kind: RoutingKind, { spec: { endpoints, hosts, ...spec } }: RoutingObject) {
  return {
    ...spec,
    ...(kind !== "DestinationRule" && { hosts }),
    ...(kind !== "ServiceEntry" && endpoints !== undefined && { endpoints }),
    ...(kind === "ServiceEntry" && spec["resolution"] === "DNS" && { resolution: "STATIC" }),
  };
}

/** What a proxy is for: the workload whose requests it routes, or a gateway. */
function purpose(pod: V1Pod): string {
  const { namespace } = podKey(pod);
  const workload = pod.metadata?.labels?.["service.istio.io/canonical-name"] ?? "";
  return `${isSidecar(pod) ? "sidecar of" : "gateway"} ${namespace}/${workload}`;
}

/** Joins the proxies that hold the same. */
function grouped(
  held: readonly (readonly [string, Readonly<Record<string, VirtualHost>>])[],
): EnvoyRouting[] {
  const groups: { of: string[]; virtualHosts: Readonly<Record<string, VirtualHost>> }[] = [];
  for (const [envoy, virtualHosts] of held) {
    const same = groups.find((group) => isDeepStrictEqual(group.virtualHosts, virtualHosts));
    if (!same) groups.push({ of: [envoy], virtualHosts });
    else if (!same.of.includes(envoy)) same.of.push(envoy);
  }
  return groups;
}

/** The rules of a VirtualService. */
function rulesOf({ spec: { http } }: RoutingObject): RoutingRules {
  return Array.isArray(http) ? http : [];
}

/**
 * Reads what routes a service in one cluster: its objects, and what every Envoy holds, or, of more than ASK_ENVOYS, what
 * the gateways and a sample hold.
 */
export async function readRouting(
  cluster: ClusterClient,
  scope: RoutingScope,
): Promise<LiveRouting> {
  const [kinds, held] = await Promise.all([
    Promise.all(ROUTING_KINDS.map(async (kind) => ({ kind, all: await objectsOf(cluster, kind) }))),
    answersOf(
      async () => sampled(await cluster.proxies(), ASK_ENVOYS),
      async (pod) => {
        const of = purpose(pod);
        // Which of the services that share a host a sidecar takes it for is nobody's doing.
        const hosts = of.startsWith("sidecar ")
          ? scope.hosts.filter((host) => scope.shared?.includes(host) !== true)
          : scope.hosts;
        return [of, await virtualHostsOf(cluster, pod, hosts)] as const;
      },
    ),
  ]);
  const routing = held.filter(([, virtualHosts]) => Object.keys(virtualHosts).length > 0);
  const found = kinds.flatMap(({ kind, all }) =>
    all.map((object) => ({
      kind,
      object,
      own: hasOwnName(kind, object, scope),
    })),
  );
  const weights = found.find(({ kind, own }) => own && kind === "VirtualService");
  return {
    rules: weights && rulesOf(weights.object),
    objects: Object.fromEntries(
      found
        .filter(({ own }) => own)
        .map(({ kind, object }) => [`${kind}/${object.metadata.name}`, compared(kind, object)]),
    ),
    envoys: grouped(routing),
    envoyCount: routing.length,
    strays: found
      .filter(
        ({ kind, own, object }) =>
          !own &&
          concerns(object, scope) &&
          !(
            kind === "VirtualService" &&
            (isSharing(object, scope) || isForOthersPaths(object, scope))
          ),
      )
      .map(({ kind, object }) => `${kind} ${object.metadata.namespace}/${object.metadata.name}`),
  };
}
