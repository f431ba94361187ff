import { isDeepStrictEqual } from "node:util";
import { setTimeout as wait } from "node:timers/promises";
import type { FindCanaries } from "../fleet/canary-weights.ts";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { toZero, type ZeroedCluster } from "../fleet/to-zero.ts";
import { changes, type Change } from "../preview/changes.ts";
import type { Digest } from "../preview/digest.ts";
import { zeroedLines } from "./describe.ts";
import { MayHeal, StackLocked, TakenBack } from "./try-again.ts";
import type { ReleaseStack } from "./stack.ts";
import { UpdateFailure } from "./update-failure.ts";

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * What a preview deletes or replaces, which no change of a weight does.
 *
 * @param mayGo what may be deleted all the same. @default nothing
 */
export function losses(
  digest: Digest,
  mayGo: (change: Change) => boolean = () => false,
): readonly string[] {
  return changes(digest)
    .filter(
      (change) => change.action === "replace" || (change.action === "delete" && !mayGo(change)),
    )
    .map(
      ({ action, cluster, kind, name }) =>
        `${action} ${kind} ${name}${cluster === undefined ? "" : ` in ${cluster}`}`,
    );
}

/** Part of a stack that a change of the weight needs. */
type WeightStack = Pick<ReleaseStack, "name" | "setWeight" | "previewAt" | "upAt"> & {
  up(message: string, onOutput: (text: string) => void): Promise<unknown>;
};

/**
 * Raises the weight in all clusters or in none: preview, update, and the confirmation of every Envoy that
 * is part of the update. The config file has the new weight only after all clusters do.
 *
 * @param previews where the preview comes from. @default it is made now
 * @param mayGo what the update may delete. @default nothing
 * @throws if the preview fails, or would delete or replace something, or the update fails; StackLocked or MayHeal if
 *   the same may be tried again; TakenBack if the update has kept a lower weight
 */
export async function raiseTo(
  stack: WeightStack,
  weight: number,
  print: (text: string) => void,
  previews: Pick<ReleaseStack, "previewAt"> = stack,
  mayGo?: (change: Change) => boolean,
): Promise<void> {
  let inForce: unknown;
  try {
    const lost = losses(await previews.previewAt(weight), mayGo);
    if (lost.length > 0) {
      throw new Error(
        [
          `The preview of weight ${weight} would delete or replace resources, so nothing was done:`,
          ...lost.map((line) => ` - ${line}`),
          `If you mean it, first run pulumi up --stack ${stack.name} without changing the weight, then run this command again.`,
        ].join("\n"),
      );
    }
    inForce = await stack.upAt(weight, `release: ${weight} %`, print);
  } catch (error) {
    throw error instanceof UpdateFailure && error.mayHeal
      ? new MayHeal(error.message, { cause: error })
      : error;
  }
  if (inForce !== weight) throw new TakenBack(stack.name, weight, String(inForce));
  await stack.setWeight(weight);
}

/** What has come of a way down. */
export type Lowering =
  /** Every API server and every Envoy has 0 %: read back from all of them. */
  | { readonly event: "lowered"; readonly clusters: readonly ZeroedCluster[] }
  /** Pulumi's state waits for another update. */
  | { readonly event: "locked"; readonly reason: string }
  /** Pulumi's state or the config file does not follow. */
  | { readonly event: "not-followed"; readonly reason: string };

/** What the way down needs, beside a stack. */
export interface WayDown {
  readonly clusters: readonly ClusterClient[];
  readonly find: FindCanaries;
  /** How long the Envoys of a cluster are waited for in one try, in milliseconds. */
  readonly confirmWithinMs: number;
  /** How long each cluster is tried, in milliseconds. @default HAND_OVER_AFTER_MS */
  readonly withinMs?: number;
  /** How long another update is waited for, in milliseconds. @default 2 minutes */
  readonly lockWithinMs?: number;
  /** Between two looks at the lock, in milliseconds. @default 5 s */
  readonly lockEveryMs?: number;
  readonly tell: (event: Lowering) => void;
  readonly print: (text: string) => void;
}

/**
 * Takes the weight back to 0 in every cluster: in the clusters themselves first, again and again, and in the config file
 * at the same time; neither Pulumi nor its backend is asked before every cluster has it. Then Pulumi's
 * state follows, which waits for another update of the stack. What is in force is read back at the end.
 *
 * @throws saying what each cluster has, if one is not known to have 0 % in its API server and all its Envoys
 */
export async function lowerToZero(
  stack: WeightStack,
  reason: string,
  { clusters, find, confirmWithinMs, withinMs, ...rest }: WayDown,
): Promise<void> {
  const { lockWithinMs = 120_000, lockEveryMs = 5_000, tell, print } = rest;
  const lower = async () => {
    const zeroed = await toZero(clusters, find, { withinMs, confirmWithinMs });
    if (zeroed.every(({ problem }) => problem === undefined)) return zeroed;
    throw new Error(["Current state of the clusters:", ...zeroedLines(zeroed)].join("\n"));
  };
  let unwritten: unknown;
  const [lowered] = await Promise.all([
    lower(),
    stack.setWeight(0).catch((error: unknown) => {
      unwritten = error;
    }),
  ]);
  tell({ event: "lowered", clusters: lowered });
  if (unwritten !== undefined) {
    tell({
      event: "not-followed",
      reason: `the config file of stack ${stack.name} still has another weight (${explain(unwritten)}): set it to 0`,
    });
    return;
  }
  const message = `release: rolled back: ${reason}`.slice(0, 500);
  const until = Date.now() + lockWithinMs;
  for (let told = ""; ;) {
    try {
      await stack.up(message, print);
      break;
    } catch (error) {
      const locked = error instanceof StackLocked;
      if (!locked || Date.now() >= until) {
        const why = locked ? `the stack is locked: ${error.holders}` : messageOf(error);
        tell({
          event: "not-followed",
          reason: `Pulumi's state of stack ${stack.name} does not reflect the rollback yet: ${why}\nOnce that is resolved, run pulumi up --stack ${stack.name}; its preview shows the difference.`,
        });
        break;
      }
      if (told !== error.holders) tell({ event: "locked", reason: error.holders });
      told = error.holders;
      await wait(lockEveryMs);
    }
    // The other update may have begun with the old weight.
    await lower();
  }
  const last = await lower();
  if (!isDeepStrictEqual(weightsOf(last), weightsOf(lowered))) {
    tell({ event: "lowered", clusters: last });
  }
}

const weightsOf = (clusters: readonly ZeroedCluster[]) =>
  clusters.map(({ canaries }) => canaries.map(({ key, weight }) => [key, weight]));
