import type { ChainRole } from "./mark.ts";
import type { Pods } from "./pods.ts";
import type { RoutingRules } from "./routing/routing.ts";
import type { Split } from "./weights.ts";

/** The split that is deployed: of hosts that differ, the one with the highest weight. */
export interface DeployedSplit extends Split {
  /** The canary's weight at the host that gives it least. @default every host has the same weight */
  readonly leastWeight?: number | undefined;
}

/** How one cluster routes a service now, read from its VirtualService. */
export interface DeployedRoute extends DeployedSplit {
  /** Who has written the rules, if it was neither this program nor Pulumi. @default one of these has, or nobody knows */
  readonly writtenBy?: string | undefined;
  /** The field manager that seems to apply the rules again and again, as Argo CD's controller. @default none is known */
  readonly appliedBy?: string | undefined;
  /** The API server's count of the changes of the VirtualService's spec. */
  readonly generation: number;
  /** The API server's name for this very state of the object. @default not known */
  readonly resourceVersion?: string | undefined;
  /** What the annotation REPLACES says. @default it has none */
  readonly replaces: string | undefined;
  /** What the service is in a chain. @default it is in none */
  readonly role?: ChainRole | undefined;
  /** Of an entry: all services of its chain, as `namespace/name`. @default it is no entry */
  readonly members?: readonly string[] | undefined;
  /** Of an entry: how it marks, in words. @default it is no entry */
  readonly mark?: string | undefined;
  /** Whether it says that others have made the service's pods. @default this program makes them, or it is not this program's */
  readonly existing?: boolean | undefined;
  /** All routing rules, as they have to be written to get back to this state. */
  readonly rules: RoutingRules;
  /** Image of the service's container by version, from the Deployments. */
  readonly images: Readonly<Record<string, string>>;
  /** What decides the service's container by version, from the Deployments. @default nobody has asked */
  readonly pods?: Readonly<Record<string, Pods>> | undefined;
  /** Pods that the service's Deployments want by version. @default nobody has asked */
  readonly replicas?: Readonly<Record<string, number>> | undefined;
}

/** What there is of the services in one cluster. */
export interface DeployedCluster {
  readonly name: string;
  /** Why the cluster could not be read. @default it was read */
  readonly unreachable: string | undefined;
  /** By `namespace/service`; services that are not there yet are left out. */
  readonly routes: ReadonlyMap<string, DeployedRoute>;
}

/** Percent of the requests that a version gets for sure: where the rules name none, that is 0 of each. */
export function shareOf(split: Split, version: string | undefined): number {
  if (version === undefined || split.unnamed) return 0;
  if (version === split.canary) return split.weight;
  if (version !== split.stable) return 0;
  return split.canary === undefined ? 100 : 100 - split.weight;
}

/** The same, for the requests to the host that gives the canary least. */
export function leastShareOf(split: DeployedSplit, version: string): number {
  const { canary, leastWeight, weight } = split;
  return version === canary ? (leastWeight ?? weight) : shareOf(split, version);
}

/** Whether two splits send every request the same way. One whose hosts differ is like no other. */
export function sameShares(one: DeployedSplit, other: DeployedSplit): boolean {
  if (one.leastWeight !== undefined || other.leastWeight !== undefined) return false;
  if (one.unnamed || other.unnamed) return one.unnamed === other.unnamed;
  return [one.stable, one.canary, other.stable, other.canary].every(
    (version) => shareOf(one, version) === shareOf(other, version),
  );
}

/**
 * What the annotation REPLACES says of an object that is made anew after somebody has deleted it. Each time it says
 * something else: it may be deleted again, and Pulumi writes only what differs from its state.
 */
export function replacesNothing(at: Date): string {
  return `nothing: it had been deleted by ${at.toISOString()}`;
}

/**
 * The value of the annotation by which Pulumi's engine, which compares with its own state alone, sees
 * that a cluster serves something else than is wanted: the generation that is to be replaced. It
 * stays as it is while the cluster serves what is wanted, so a preview then shows nothing.
 */
export function replacesAnnotation(
  route: DeployedRoute | undefined,
  wanted: Split,
): string | undefined {
  if (!route) return undefined;
  // A canary at 0 % may have left the routes for another one that then was not made.
  const isNamed = wanted.canary === undefined || wanted.canary === route.canary;
  return sameShares(route, wanted) && isNamed ? route.replaces : `generation ${route.generation}`;
}
