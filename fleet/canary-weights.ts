import { serviceKey, type ServiceName } from "../lib/names.ts";
import type { FoundRoute, RoutingRules } from "../lib/routing/routing.ts";
import { follows } from "../lib/served.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { clusterRouting } from "./routing/index.ts";

/** A canary and its weight in one cluster, as its API server has it. */
export interface CanaryWeight extends ServiceName {
  readonly canary: string;
  /** Percent of the requests. */
  readonly weight: number;
  /** Names under which clients know the service. */
  readonly hosts: readonly string[];
  /** The routing rules as they are there. */
  readonly rules: RoutingRules;
  /** Kubeconfig contexts of the clusters that are released together; none where nobody has recorded them. */
  readonly contexts: readonly string[];
}

/** Reads the canaries of a cluster that have a weight of their own. */
export type FindCanaries = (cluster: ClusterClient) => Promise<readonly CanaryWeight[]>;

/** Its canary; none if it has no second version, or follows the entries of a chain. */
function canaryOf({ route, ...found }: FoundRoute): readonly CanaryWeight[] {
  const { canary, weight, rules } = route;
  return canary === undefined || follows(route) ? [] : [{ ...found, canary, weight, rules }];
}

/**
 * The canaries of all VirtualServices of a cluster that this program has written, whichever stack releases them.
 *
 * @param only these, as `namespace/name`. @default all
 * @throws if one of them is not there
 */
export async function ownedCanaries(
  cluster: ClusterClient,
  only: readonly string[] = [],
): Promise<readonly CanaryWeight[]> {
  const found = await clusterRouting.readOwned(cluster, only);
  const missing = only.filter((key) => !found.some((each) => serviceKey(each) === key));
  if (missing.length > 0) {
    throw new Error(`it has no VirtualService of this program for ${missing.join(", ")}`);
  }
  return found.flatMap(canaryOf);
}

/** The canaries of a stack's services in a cluster, where they are the ones on trial. */
export async function canariesOf(
  cluster: ClusterClient,
  services: readonly (ServiceName & { readonly canary: string })[],
): Promise<readonly CanaryWeight[]> {
  const found = (await clusterRouting.read(cluster, services)).flatMap(canaryOf);
  // Where another version is the canary, it is another release.
  return services.flatMap((service) =>
    found.filter(
      (each) => serviceKey(each) === serviceKey(service) && each.canary === service.canary,
    ),
  );
}
