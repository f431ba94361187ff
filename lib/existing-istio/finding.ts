import { allOf } from "../enumerate.ts";
import type { Problem } from "../problems.ts";
import type { FoundIstio } from "./found.ts";

/** Something about the Istio of others that whoever runs an update must know. */
export interface IstioFinding extends Problem {
  /**
   * warning: it may stay. problem: it keeps updates from being made, but for those that lower a weight. harm: these too
   * go no further than to lower it, since objects would be made from what is not known.
   */
  readonly kind: "warning" | "problem" | "harm";
}

/** What the configuration says of a cluster, beside how it is reached. */
interface WantedCluster {
  readonly name: string;
  readonly network?: string | undefined;
  readonly eastWestAddresses?: readonly string[] | undefined;
  readonly eastWestPort?: number | undefined;
}

/** What the configuration says of the mesh. What it leaves out is as the clusters have it. */
export interface WantedMesh {
  readonly id?: string | undefined;
  readonly istioVersion?: string | undefined;
  readonly trustDomain?: string | undefined;
  readonly clusterDomain?: string | undefined;
  readonly clusters: readonly WantedCluster[];
  /** The Gateway object for clients outside, as `namespace/name`. @default none */
  readonly gateway?: string | undefined;
  readonly services: readonly {
    readonly namespace: string;
    readonly ingressHosts?: readonly string[] | undefined;
    /** Gateway objects of its own. @default the one for all services */
    readonly ingressGateways?: readonly string[] | undefined;
  }[];
}

/** A cluster of the configuration, and what was found there. */
export interface IstioPlace {
  readonly cluster: WantedCluster;
  /** Where it is in the configuration: `clusters[0]`. */
  readonly path: string;
  readonly found: FoundIstio;
}

/** Which clusters have which value: `a in cluster-a and b in cluster-b`; undefined if all have the same. */
export function differing(
  places: readonly IstioPlace[],
  value: (found: FoundIstio) => string | undefined,
): string | undefined {
  const known = places.flatMap(({ cluster, found }) => {
    const of = value(found);
    return of === undefined ? [] : [{ cluster: cluster.name, of }];
  });
  const groups = [...Map.groupBy(known, ({ of }) => of)];
  return groups.length < 2
    ? undefined
    : allOf(groups.map(([of, all]) => `${of} in ${allOf(all.map(({ cluster }) => cluster))}`));
}
