import * as z from "zod";
import type { DeployedRoute } from "./deployed.ts";
import { newest, type Notes } from "./journal.ts";

/** How the keys of services begin whose canaries serve requests, or are about to. */
const NEEDED_KEY = "needed-";

/** The key under which an update notes how many pods a service needs for all requests. */
export function neededKey(service: string): string {
  return `${NEEDED_KEY}${service}`;
}

const neededSchema = z.object({
  format: z.number(),
  at: z.number(),
  /** The service, as `namespace/service`, and the version that served all requests. */
  key: z.string(),
  stable: z.string(),
  /** Pods of that version, as its Deployment had them. */
  pods: z.number(),
  /** Most pods that the configuration allowed it then. @default its autoscaler is somebody else's */
  most: z.number().optional(),
});

/** What a service needs for all requests in one cluster. */
export type Needed = Omit<z.output<typeof neededSchema>, "format" | "at"> & {
  /** Whether it is noted, for a canary that serves. */
  readonly isNoted: boolean;
};

/** What is noted of it. */
export function noteOf({ key, stable, pods, most }: Needed): Omit<Needed, "isNoted"> {
  return { key, stable, pods, most };
}

/** What is asked about. */
export interface Asked {
  readonly key: string;
  readonly service: string;
  readonly stable: string;
  readonly canary: string | undefined;
  /** Percent that the release gives its canaries in the cluster, and percent that they have. */
  readonly weight: number;
  readonly served: number;
}

/**
 * What a service needs for all requests in a cluster, as long as stable must be able to take everything back: what
 * stable had when the canary began. An autoscaler takes pods away from stable while the canary serves, so what it
 * has now says nothing once the canary serves.
 *
 * @param route how the cluster routes the service. @default it has no route, or does not answer
 * @param notes of the cluster's journals
 * @returns undefined if no canary serves or is about to, or if nobody knows
 */
export function neededFor(
  route: DeployedRoute | undefined,
  notes: readonly Notes[],
  { key, service, stable, canary, weight, served }: Asked,
): Needed | undefined {
  if (route?.stable !== stable || canary === undefined) return undefined;
  if (weight === 0 && served === 0) return undefined;
  const now = route.replicas?.[stable];
  const noted = newest(notes, neededKey(service), neededSchema);
  if (route.canary === canary && served > 0 && noted?.key === key && noted.stable === stable) {
    return { key, stable, pods: noted.pods, most: noted.most, isNoted: true };
  }
  return now === undefined || now === 0 ? undefined : { key, stable, pods: now, isNoted: false };
}

/**
 * Pods for a share of the requests, rounded up.
 *
 * @param pods for all of them
 * @param weight the share, in percent
 * @param factor by which pods may be fewer, or more. @default 1
 */
export function podsFor(pods: number, weight: number, factor = 1): number {
  // Rounded before it is rounded up: 0.07 * 100 is a little more than 7.
  return Math.ceil(Number(((pods * weight * factor) / 100).toFixed(6)));
}
