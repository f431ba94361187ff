import type { MeshCluster } from "../cluster.ts";
import type { DeployedRoute } from "../../lib/deployed.ts";
import type { ServiceName } from "../../lib/names.ts";
import type { FleetWeight } from "../../lib/release-rules.ts";

/** A service whose canary is to get a higher share. */
export interface Rise extends ServiceName, FleetWeight {
  readonly canary: string;
  /** Pods of the canary that the configuration wants in each cluster. */
  readonly replicas: number;
  /** The service's host inside the mesh. */
  readonly host: string;
  /** All names under which clients know the service, that one included. */
  readonly hosts: readonly string[];
  /** For each cluster in which the share rises: how it is, and the rules to be. */
  readonly changes: ReadonlyMap<
    string,
    { readonly route: DeployedRoute; readonly http: readonly unknown[] }
  >;
}

/** Bounds that the configuration sets under the key `safety`. */
export interface Limits {
  /** Longest wait for every Envoy to serve a new weight, in milliseconds. */
  readonly confirmWithinMs: number;
  /** Days that every certificate authority must still be valid. */
  readonly certificateDays: number;
  /** Most that the clocks of two API servers may differ, in milliseconds. */
  readonly clockSkewMs: number;
}

export interface CheckContext {
  /** The cluster that is looked at. */
  readonly cluster: MeshCluster;
  /** All clusters of the mesh, this one included. */
  readonly clusters: readonly MeshCluster[];
  readonly rises: readonly Rise[];
  readonly limits: Limits;
}

/** Something that speaks against a higher weight. */
export interface Finding {
  /** What was seen, as a sentence without its full stop. */
  readonly seen: string;
  /** What to do about it. */
  readonly fix: string;
}

/** One condition that every cluster must meet before any weight rises. */
export interface Check {
  /** The condition, as in "istiod serves". */
  readonly name: string;
  /** What speaks against it in the context's cluster. An error counts as one finding. */
  readonly run: (context: CheckContext) => Promise<readonly Finding[]>;
}
