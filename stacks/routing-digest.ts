import { createHash } from "node:crypto";
import { idOf, INGRESS_GATEWAY_OBJECT, serviceKey } from "../lib/names.ts";
import { weightIn } from "../lib/release-rules.ts";
import { placeIn } from "./chain.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { service as serviceSchema } from "./schema/service.ts";
import { routed } from "./schema/structure.ts";
import { schema } from "./schema.ts";

/**
 * JSON in which the order of keys means nothing. Not RFC 8785, as libraries write it: that sorts keys which are
 * whole numbers otherwise, and clusters hold records by digests of these bytes.
 */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/**
 * Names everything in the configuration that decides how a service is routed in a cluster: two
 * configurations with the same digest route alike, and a record of one is a record of the other. What
 * decides it, each key says in the schema. Clusters keep records by their digests for good, so what
 * made one today must make the same one tomorrow: a new key is left out where it is not set.
 */
export function routingDigest(
  settings: ReleaseSettings,
  service: ServiceSettings,
  cluster: string,
): string {
  const { mesh, clusters, ingressGateway, oneNetwork, kept } = settings;
  const key = serviceKey(idOf(service));
  const keptVersions = kept?.versions[key];
  const keptHosts = Object.entries(kept?.hosts ?? {}).flatMap(([name, versions]) => {
    const version = versions[key];
    return version === undefined || name === cluster ? [] : [[name, version] as const];
  });
  const place = placeIn(settings, service);
  const weight = place?.role === "follower" ? 0 : weightIn(settings, cluster);
  const { stable, canary, matches, mirrorPercent, ...always } = routed(serviceSchema, service);
  const decides = {
    ...routed(schema.mesh, mesh),
    clusters: routed(schema.clusters, clusters)
      .map(({ name }) => name)
      .sort(),
    service: {
      ...always,
      stable: stable?.version,
      stablePolicy: stable?.trafficPolicy,
    },
    // Left out where the program installs the gateways, so that records from before there were others' still count.
    ...(ingressGateway !== undefined &&
      ingressGateway !== INGRESS_GATEWAY_OBJECT && { ingressGateway }),
    ...(oneNetwork && { oneNetwork }),
    // Left out unless a cluster is away that has other versions, or was.
    ...(keptVersions && { keptVersions }),
    ...(keptHosts.length > 0 && { keptHosts: Object.fromEntries(keptHosts) }),
    canary: canary && { ...canary, weight, matches, mirrorPercent },
    // Those of this stack's other services: its own say nothing of them.
    ...(service.othersPaths && { othersPaths: service.othersPaths }),
    // Left out without a chain, so that records from before there were any still count.
    ...(place && {
      chain: { ...routed(schema.chain, settings.chain), entries: undefined, role: place.role },
    }),
  };
  return createHash("sha256").update(canonical(decides)).digest("hex");
}
