import { leastShareOf, shareOf, type DeployedRoute } from "../lib/deployed.ts";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import { until } from "../lib/until.ts";
import { within } from "../lib/within.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { confirmWeights, type ConfirmedWeights, type Expected } from "./confirm.ts";
import type { ConfirmOptions } from "./confirm-every.ts";
import { readRoute } from "./read-deployed.ts";

/** How often it is looked whether a weight is still the one that was written, in milliseconds. */
const LOOK_EVERY_MS = 1_000;
/** Longest wait for the last of these looks, in milliseconds: Envoys have confirmed then. */
const LAST_LOOK_MS = 3_000;

/** What whoever runs a controller has to do so that it leaves the routes alone. */
export const LEAVE_ALONE =
  "Have its owner take the VirtualService out of what it applies, or leave its spec alone (docs/existing-services.md#beside-a-controller).";

/** A weight that somebody else has written over, and what to do. */
export class WrittenOver extends Error {}

type Shares = Pick<DeployedRoute, "stable" | "canary" | "weight" | "leastWeight" | "writtenBy">;

/** What somebody else has made of a weight. @returns undefined if it is in force, or nobody else has written it */
export function writtenOver(
  cluster: string,
  name: ServiceName,
  route: Shares,
  canary: string,
  weight: number,
): string | undefined {
  if (route.writtenBy === undefined) return undefined;
  const shares = [leastShareOf(route, canary), shareOf(route, canary)];
  const other = shares.find((share) => share !== weight);
  return other === undefined
    ? undefined
    : `field manager ${route.writtenBy} has written VirtualService ${serviceKey(name)} in ${cluster}: ${canary} has ${other} % there, not ${weight} %`;
}

/**
 * Waits as confirmWeights does, but no longer than the API server has the weight: what a controller has written over, no
 * Envoy serves.
 *
 * @throws WrittenOver naming who has written it
 */
export async function confirmWritten(
  cluster: ClusterClient,
  services: readonly (Expected & ServiceName)[],
  options: ConfirmOptions,
): Promise<ConfirmedWeights> {
  if (services.length === 0) return { routes: [], acknowledged: 0 };
  const look = async () => {
    const texts = await Promise.all(
      services.map(async (expected) => {
        const route = await readRoute(cluster, expected);
        const { canary, weight } = expected;
        return route && writtenOver(cluster.name, expected, route, canary, weight);
      }),
    );
    const over = texts.filter((text) => text !== undefined);
    return over.length > 0 ? over.join("; ") : undefined;
  };
  const ended = new AbortController();
  const { signal } = ended;
  const lost = until(
    "somebody to write the weight over",
    async () => {
      const text = await look();
      if (text === undefined) throw new Error("it is in force");
      return text;
    },
    { timeoutMs: Number.POSITIVE_INFINITY, everyMs: LOOK_EVERY_MS, signal },
  );
  try {
    const confirmed = await Promise.race([
      confirmWeights(cluster, services, { ...options, signal }),
      lost.then((text) => {
        throw new WrittenOver(`${text}. ${LEAVE_ALONE}`);
      }),
    ]);
    // Envoys may have confirmed what was written over just afterwards.
    const text = await within(LAST_LOOK_MS, look(), "").catch(() => undefined);
    if (text !== undefined) throw new WrittenOver(`${text}. ${LEAVE_ALONE}`);
    return confirmed;
  } finally {
    ended.abort();
    lost.catch(() => undefined);
  }
}
