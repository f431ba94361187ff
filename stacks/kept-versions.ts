import * as z from "zod";
import { shareOf, type DeployedCluster } from "../lib/deployed.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import { clustersBehind, type Wanted } from "../lib/release-rules.ts";
import type { ServiceSettings } from "./config.ts";

const serviceShares = z.record(z.string(), z.record(z.string(), z.number()));

/** Percent of requests by version, by `namespace/service`. */
export type ServiceShares = z.output<typeof serviceShares>;

const outputs = z.record(
  z.string(),
  z.looseObject({ traffic: serviceShares }).catch({ traffic: {} }),
);

/**
 * What clusters that are away send where.
 *
 * @param said the stack's output `clusters`, as its last complete update has left it
 * @returns by their names; nothing of those of which it says nothing
 */
export function lastTraffic(
  away: readonly string[],
  said: unknown,
): Readonly<Record<string, ServiceShares>> {
  const known = outputs.safeParse(said).data ?? {};
  return Object.fromEntries(away.map((cluster) => [cluster, known[cluster]?.traffic ?? {}]));
}

/** What stays as it is for the sake of clusters that are away, or have come back and are not equal to the others yet. */
export interface Kept {
  /** Versions that keep their subset although the config does not have them, by `namespace/service`. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  /** The version that gets all requests to a host that names a cluster, by `namespace/service`, by cluster. */
  readonly hosts: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const keyOf = (service: ServiceSettings) => serviceKey(idOf(service));

/** The versions that the config gives a service. */
function configured({ stable, canary }: ServiceSettings): readonly string[] {
  return canary ? [stable.version, canary.version] : [stable.version];
}

/** Those of a service's versions in the clusters that the config does not have, each once. */
function leaving(service: ServiceSettings, there: readonly string[]): readonly string[] {
  const own = configured(service);
  return [...new Set(there)].filter((version) => !own.includes(version)).sort();
}

function byService(
  services: readonly ServiceSettings[],
  of: (service: ServiceSettings) => readonly string[],
): Kept["versions"] {
  return Object.fromEntries(
    services.flatMap((service) => {
      const versions = of(service);
      return versions.length > 0 ? [[keyOf(service), versions] as const] : [];
    }),
  );
}

/**
 * What stays while clusters are away. Their clients go on asking the other clusters' gateways for the versions that they
 * know, which need a subset there; and a host that names such a cluster leads to the versions that it has.
 *
 * @param known what the last complete update has said of these clusters, by their names
 * @returns undefined if nothing does
 */
export function keptFor(
  services: readonly ServiceSettings[],
  known: Readonly<Record<string, ServiceShares>>,
): Kept | undefined {
  const versions = byService(services, (service) =>
    leaving(
      service,
      Object.values(known).flatMap((shares) => Object.keys(shares[keyOf(service)] ?? {})),
    ),
  );
  const hosts = Object.fromEntries(
    Object.entries(known).flatMap(([cluster, shares]) => {
      const own = services.flatMap((service) => {
        const there = shares[keyOf(service)] ?? {};
        const [most] = Object.entries(there).sort(([, a], [, b]) => b - a);
        return most && configured(service).some((version) => !(version in there))
          ? [[keyOf(service), most[0]] as const]
          : [];
      });
      return own.length > 0 ? [[cluster, Object.fromEntries(own)] as const] : [];
    }),
  );
  return orNothing({ versions, hosts });
}

/**
 * What stays until clusters that have come back are equal to the others: the next update takes it away.
 *
 * @param kept for those that are still away. @default nothing
 */
export function withThoseBehind(
  kept: Kept | undefined,
  services: readonly ServiceSettings[],
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
): Kept | undefined {
  const behind = byService(services, (service) => {
    const key = keyOf(service);
    const route = wanted.routes.find((each) => each.key === key);
    const names = route ? clustersBehind(deployed, wanted, route) : [];
    return leaving(
      service,
      deployed.flatMap(({ name, routes }) => {
        const there = names.includes(name) ? routes.get(key) : undefined;
        return there
          ? [there.stable, there.canary].flatMap((version) =>
              version !== undefined && shareOf(there, version) > 0 ? [version] : [],
            )
          : [];
      }),
    );
  });
  const versions = byService(services, (service) =>
    leaving(
      service,
      [kept?.versions, behind].flatMap((each) => each?.[keyOf(service)] ?? []),
    ),
  );
  return orNothing({ versions, hosts: kept?.hosts ?? {} });
}

/** @returns undefined if it is nothing */
function orNothing(kept: Kept): Kept | undefined {
  return Object.keys(kept.versions).length + Object.keys(kept.hosts).length > 0 ? kept : undefined;
}
