import { createHash } from "node:crypto";
import { weightIn } from "../lib/release-rules.ts";
import { placeIn } from "./chain.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";

/** JSON in which the order of keys means nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/**
 * Names everything in the configuration that decides how a service is routed in a cluster: two
 * configurations with the same digest route alike, and a record of one is a record of the other.
 */
export function routingDigest(
  settings: ReleaseSettings,
  service: ServiceSettings,
  cluster: string,
): string {
  const { name, namespace, stable, canary, matches, timeout, retries } = service;
  const { mirrorPercent, ingressHosts } = service;
  const { mesh, clusters } = settings;
  const place = placeIn(settings, service);
  const weight = place?.role === "follower" ? 0 : weightIn(settings, cluster);
  const decides = {
    clusters: clusters.map((each) => each.name).sort(),
    clusterDomain: mesh.clusterDomain,
    trustDomain: mesh.trustDomain,
    service: { name, namespace, stable: stable.version, timeout, retries, ingressHosts },
    canary: canary && { version: canary.version, weight, matches, mirrorPercent },
    // Left out without a chain, so that records from before there were any still count.
    ...(place && { chain: { role: place.role, mark: place.mark } }),
  };
  return createHash("sha256").update(canonical(decides)).digest("hex");
}
