import pRetry from "p-retry";
import type { CanaryWeight, FindCanaries } from "./canary-weights.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { confirmWeights } from "./confirm.ts";
import { explain } from "./explain.ts";
import { lower } from "./lower.ts";
import { serviceKey } from "../lib/names.ts";

/** First and longest pause between two tries in one cluster, in milliseconds. */
const BACK_OFF_MS = { first: 250, longest: 5_000 } as const;
/** How long one cluster is tried before the command hands over, in milliseconds. */
const HAND_OVER_AFTER_MS = 120_000;

/** A canary in one cluster after its weight was to become 0. */
interface ZeroedCanary {
  /** The service, as `namespace/name`. */
  readonly key: string;
  readonly canary: string;
  /** Percent that it had at first. */
  readonly before: number;
  /** Percent that was read back from the API server last. @default it could not be read back */
  readonly weight?: number | undefined;
  /** How many Envoys serve 0 %. */
  readonly envoys: number;
}

/** One cluster after its weights were to become 0. */
export interface ZeroedCluster {
  readonly name: string;
  readonly canaries: readonly ZeroedCanary[];
  /** Why it is not known that its API server and all its Envoys have 0. @default it is known */
  readonly problem?: string | undefined;
}

interface Options {
  /** How long each cluster is tried, in milliseconds; the last try may add what it takes. @default HAND_OVER_AFTER_MS */
  readonly withinMs?: number | undefined;
  /**
   * How long the Envoys of a cluster are waited for before its API server is looked at again, in milliseconds.
   * @default none is asked: what the API server has is all that is then known
   */
  readonly confirmWithinMs?: number | undefined;
  /** Is told, once each, why a cluster does not have the weight yet. @default nobody is */
  readonly onProblem?: ((cluster: string, problem: string) => void) | undefined;
}

/**
 * Lowers canaries to 0 in all clusters at once, each by itself and again and again, until its API server and every
 * Envoy that routes to the services have it. No cluster waits for another, and nothing but the clusters is asked.
 * It may be called where the weights are 0 already: then it only reads them back.
 *
 * @param find what is to be lowered in a cluster
 */
export async function toZero(
  clusters: readonly ClusterClient[],
  find: FindCanaries,
  options: Options,
): Promise<readonly ZeroedCluster[]> {
  return Promise.all(clusters.map((cluster) => zeroIn(cluster, find, options)));
}

async function zeroIn(
  cluster: ClusterClient,
  find: FindCanaries,
  { withinMs = HAND_OVER_AFTER_MS, confirmWithinMs, onProblem = () => undefined }: Options,
): Promise<ZeroedCluster> {
  const { name } = cluster;
  const before = new Map<string, CanaryWeight>();
  let now: readonly CanaryWeight[] | undefined;
  const envoys = new Map<string, number>();
  const told = new Set<string>();
  const read = async () => {
    now = undefined;
    now = await find(cluster);
    for (const each of now) if (!before.has(serviceKey(each))) before.set(serviceKey(each), each);
    return now;
  };
  const once = async () => {
    envoys.clear();
    const failed = await lower(
      (await read())
        .filter(({ weight }) => weight > 0)
        .map((canary) => ({ ...canary, cluster, weight: 0 })),
    );
    const refused = failed.get(name);
    // What is in force counts, whatever the answer to the write was.
    requireZero(await read(), refused);
    if (confirmWithinMs === undefined) return;
    const canaries = now ?? [];
    const { routes, acknowledged } = await confirmWeights(
      cluster,
      canaries.map((canary) => ({ ...canary, weight: 0 })),
      { timeoutMs: confirmWithinMs },
    );
    canaries.forEach((canary, i) => {
      envoys.set(serviceKey(canary), (routes[i]?.length ?? 0) + acknowledged);
    });
    // Somebody may have raised it while the Envoys were asked.
    requireZero(await read());
  };
  let problem: string | undefined;
  try {
    await pRetry(
      async () => {
        try {
          await once();
        } catch (error) {
          const why = explain(error);
          if (!told.has(why)) onProblem(name, why);
          told.add(why);
          // As an error of its own, or the retries end with what they take for a programmer's error.
          throw new Error(why, { cause: error });
        }
      },
      {
        retries: Number.POSITIVE_INFINITY,
        maxRetryTime: withinMs,
        minTimeout: BACK_OFF_MS.first,
        maxTimeout: BACK_OFF_MS.longest,
      },
    );
  } catch (error) {
    problem = explain(error);
  }
  const canaries = [...before.values()].map((each): ZeroedCanary => {
    const key = serviceKey(each);
    const last = now?.find((other) => serviceKey(other) === key);
    // Gone, or another version: there is nothing left of it.
    const weight = now === undefined ? undefined : (last?.weight ?? 0);
    return {
      key,
      canary: each.canary,
      before: each.weight,
      weight,
      envoys: envoys.get(key) ?? 0,
    };
  });
  return { name, canaries, problem };
}

function requireZero(canaries: readonly CanaryWeight[], refused?: string): void {
  const left = canaries.filter(({ weight }) => weight > 0);
  if (left.length === 0) return;
  throw new Error(
    refused ??
      left
        .map(
          (each) =>
            `${each.canary} of ${serviceKey(each)} has ${each.weight} % again: somebody else has raised it`,
        )
        .join(", "),
  );
}
