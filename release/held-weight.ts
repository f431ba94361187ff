import { allOf } from "../lib/enumerate.ts";
import type { Progress } from "./planner.ts";

/** What is known of a weight when a change of the config is about to be carried out. */
export interface WeightSources {
  /** The stack's name, for the commands that an error gives. */
  readonly stack: string;
  /** Percent in the config file. */
  readonly config: number;
  /**
   * Percent that the file had before the change: undefined where it had none. @default nobody has asked, so the change is
   * taken not to be about the weight
   */
  readonly before?: { readonly weight: number | undefined };
  /** The canaries with their images, as configured; see releaseName. */
  readonly release: string;
  /** What is remembered of a rollout. @default none has begun */
  readonly progress: Progress | undefined;
  /** Percents that the canaries have in each cluster; none where it is in quarantine. */
  readonly clusters: readonly { readonly name: string; readonly weights: readonly number[] }[];
}

/** The weight that an update should be run with, and why. */
export interface HeldWeight {
  readonly weight: number;
  readonly says: string;
}

/**
 * Whether the config or a rollout is ahead. A rollout moves the weight in the clusters, phase by phase, and git follows later. A
 * change that is not about the weight must not undo that, and one that is must be carried out.
 *
 * @throws if the clusters differ, so that nobody can say what the rollout holds
 */
export function heldWeight(sources: WeightSources): HeldWeight {
  const { stack, config, before, release, progress, clusters } = sources;
  const own = (why: string): HeldWeight => ({ weight: config, says: `${config} %: ${why}` });
  if (before && before.weight !== config) {
    return own(
      before.weight === undefined
        ? "the config did not have it before"
        : `the change sets it, from ${before.weight} %`,
    );
  }
  if (progress?.release !== release) return own("no rollout of these canaries has begun");
  const { end, rollingBack } = progress;
  if (end?.result === "stopped") return own("the last rollout has changed nothing");
  const weights = [...new Set(clusters.flatMap((each) => each.weights))];
  const [held, ...more] = weights;
  if (more.length > 0) {
    const has = clusters.map(({ name, weights: of }) => `${allOf(of.map(String))} % in ${name}`);
    throw new Error(
      `A rollout of these canaries has begun, and the clusters differ: ${has.join(", ")}. Let it end, or make them the same: npm run release -- rollback --stack ${stack} --to zero.`,
    );
  }
  if (held === undefined || held === config) return own("the clusters have the same");
  if (end?.result === "rolled-back" || rollingBack !== undefined) {
    return held < config
      ? { weight: held, says: `${held} % instead of ${config} %: a rollout took the canary back` }
      : own("the canary was taken back");
  }
  return held > config
    ? {
        weight: held,
        says: `${held} % instead of ${config} %: a rollout ${end ? "has ended with it" : "holds it"}`,
      }
    : own(
        `somebody lowered it to ${held} % in the clusters, and the update decides what becomes of it`,
      );
}
