import type { ClusterClient } from "../cluster-client.ts";
import type { DeployedRoute } from "../../lib/deployed.ts";
import type { ExistingService } from "../../lib/existing.ts";
import type { ServiceName } from "../../lib/names.ts";
import type { FleetWeight } from "../../lib/release-rules.ts";
import type { RoutingRules } from "../../lib/routing/routing.ts";
import type { WhoCounts } from "../../lib/who-counts.ts";

/** A version that is about to get requests. */
export interface Canary extends ServiceName {
  readonly canary: string;
  /** Pods that the service needs for all requests, by cluster. @default nobody knows */
  readonly needed?: ReadonlyMap<string, number> | undefined;
  /** How the pods are found, if others have made them. @default this program makes them */
  readonly existing?: ExistingService | undefined;
  /** The Service's ports. @default that of `existing`, or 80 */
  readonly ports?: readonly number[] | undefined;
  /** Those of them whose connections all go to stable. @default none */
  readonly tcpPorts?: readonly number[] | undefined;
  /** The service's host inside the mesh. */
  readonly host: string;
  /** All names under which clients know the service, that one included. */
  readonly hosts: readonly string[];
}

/** The ports under which a canary is called. */
export function portsOf({ ports, existing }: Canary): readonly (number | undefined)[] {
  return ports ?? [existing?.port];
}

/** A service whose canary is to get a higher share. */
export interface Rise extends Canary, FleetWeight {
  /** For each cluster in which the share rises: how it is, and the rules to be. */
  readonly changes: ReadonlyMap<
    string,
    { readonly route: DeployedRoute; readonly rules: RoutingRules }
  >;
}

/** Limits that the configuration sets under the key `safety`. */
export interface Limits {
  /** How long what may heal by itself is looked at again, in milliseconds. */
  readonly checkWithinMs: number;
  /**
   * Longest time that one look of the checks may take, in milliseconds: more than that of the four answers of 10 s each
   * that the longest check waits for one after the other lets it name who is silent.
   */
  readonly lookWithinMs: number;
  /** Longest wait for every Envoy to serve a new weight, in milliseconds. */
  readonly confirmWithinMs: number;
  /** Envoys of a cluster that are asked themselves, as in `sampled`. */
  readonly askEnvoys: number;
  /** Whose confirmation a weight needs. */
  readonly who: WhoCounts;
  /** Days that every certificate authority must still be valid. */
  readonly certificateDays: number;
  /** Most that the clocks of two API servers may differ, in milliseconds. */
  readonly clockSkewMs: number;
  /** Least pods of a canary, as a part of its share of those that the service needs for all requests. */
  readonly capacity: number;
  /** Names of the clusters that no other one reads: nothing is sent there. @default none */
  readonly closed?: readonly string[] | undefined;
}

export interface CheckContext {
  /** The cluster that is looked at. */
  readonly cluster: ClusterClient;
  /** All clusters of the mesh, this one included. */
  readonly clusters: readonly ClusterClient[];
  readonly rises: readonly Rise[];
  /** All canaries that get more requests by it: those of the rises, and of a chain's followers. */
  readonly canaries: readonly Canary[];
  readonly limits: Limits;
  /** Probes the chain, once for all clusters in each look. @default there is no chain */
  readonly probe?: (() => Promise<readonly ChainFinding[]>) | undefined;
}

/** An objection to a higher weight. */
export interface Finding {
  /** What was seen, as a sentence without its full stop. */
  readonly seen: string;
  /** What to do about it. */
  readonly fix: string;
  /**
   * Whether it may be gone in a moment, as a pod that is not ready yet: then it is looked at again, for
   * as long as `checkWithinMs` says. All else is refused at once.
   */
  readonly mayHeal: boolean;
}

/** An objection to a higher weight that is about a chain of services. */
export interface ChainFinding extends Finding {
  /** The cluster that it was seen in. @default the chain as a whole */
  readonly cluster?: string | undefined;
}

/** One condition that every cluster must meet before any weight rises. */
export interface Check {
  /** The condition, as in "istiod serves". */
  readonly name: string;
  /**
   * The objections in the context's cluster. An error counts as one finding,
   * which may heal unless the API server has refused the request.
   */
  readonly run: (context: CheckContext) => Promise<readonly Finding[]>;
}
