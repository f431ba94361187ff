import type { V1Pod } from "@kubernetes/client-node";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import type { Exclusion } from "../lib/who-counts.ts";
import { podKey, type ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";
import { whoCounts } from "./left-out.ts";
import { isSidecar } from "./proxy-pod.ts";

/** What the configuration excludes of a cluster's sidecars. */
export interface ExcludedSidecars {
  /** Sidecars that are excluded. */
  readonly excluded: number;
  /** Sidecars that count. */
  readonly counted: number;
  /** Sidecars of the services of which none counts, by `namespace/service`. */
  readonly services: ReadonlyMap<string, number>;
}

/** The labels of a service's pods; undefined if there is no such Service, or it has no pods of its own. */
async function selectorOf(
  { core }: ClusterClient,
  { service: name, namespace }: ServiceName,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return (await core.readNamespacedService({ name, namespace })).spec?.selector;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Finds the services of which the configuration excludes every sidecar.
 *
 * @throws if the API server does not answer, or refuses to
 */
export async function excludedSidecars(
  cluster: ClusterClient,
  services: readonly ServiceName[],
  exclude: readonly Exclusion[],
): Promise<ExcludedSidecars> {
  const [pods, selectors] = await Promise.all([
    cluster.podsWithProxy(),
    Promise.all(services.map((service) => selectorOf(cluster, service))),
  ]);
  const { counted, excluded } = whoCounts(pods, { exclude, lost: true });
  const ofService = (all: readonly V1Pod[], i: number) =>
    all.filter((pod) => {
      const selector = Object.entries(selectors[i] ?? {});
      return (
        selector.length > 0 &&
        podKey(pod).namespace === services[i]?.namespace &&
        selector.every(([name, value]) => pod.metadata?.labels?.[name] === value)
      );
    });
  return {
    excluded: excluded.length,
    counted: counted.filter(isSidecar).length,
    services: new Map(
      services.flatMap((service, i) => {
        const none = ofService(excluded, i).length;
        return none > 0 && ofService(counted, i).length === 0
          ? [[serviceKey(service), none] as const]
          : [];
      }),
    ),
  };
}
