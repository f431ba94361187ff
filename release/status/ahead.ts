import { allOf } from "../../lib/enumerate.ts";
import type { ReleaseSettings } from "../../stacks/config.ts";
import { heldWeight } from "../held-weight.ts";
import type { Progress } from "../planner.ts";
import { awayStatus } from "./away-status.ts";
import type { ClusterStatus } from "./cluster-status.ts";

/** What says which of config and clusters is ahead. */
interface AheadSources {
  readonly settings: ReleaseSettings;
  /** The canaries with their images, as configured; see releaseName. */
  readonly release: string;
  /** What is remembered of a rollout. @default none has begun */
  readonly progress: Progress | undefined;
  readonly clusters: readonly ClusterStatus[];
  /** What the stack's last complete update has said of its clusters. */
  readonly lastKnown: () => Promise<unknown>;
  readonly stack: string;
}

const percents = (weights: readonly number[]) => allOf(weights.map((each) => `${each} %`));

/** The different weights that clusters have, where the config's is in force. */
function weightsOf(clusters: readonly ClusterStatus[]): readonly number[] {
  return [
    ...new Set(
      clusters
        .filter(({ quarantined, unreachable }) => !quarantined && unreachable === undefined)
        .flatMap(({ weights }) => Object.values(weights)),
    ),
  ];
}

/**
 * Which is ahead where the clusters have another weight than the config: the clusters by a rollout, the config by a change that
 * is not carried out yet, or neither, since somebody has changed the clusters. And what to do.
 *
 * @returns undefined if they have the same, or nobody knows what the clusters have
 */
export async function aheadText(sources: AheadSources): Promise<string | undefined> {
  const { settings, release, progress, clusters, lastKnown, stack } = sources;
  const { weight: config } = settings;
  const there = weightsOf(clusters.filter(({ away }) => away !== true));
  const [has] = there;
  if (has === undefined || there.every((each) => each === config)) return undefined;
  const up = `pulumi up --stack ${stack}`;
  if (there.length > 1) {
    return `neither the config nor the clusters are ahead: the config has ${config} %, and the clusters differ, ${percents(there)}. If no update or rollout is running, ${up} makes them the same.`;
  }
  const { weight, says } = heldWeight({
    ...{ stack, config, release, progress },
    clusters: [{ name: "every cluster", weights: there }],
  });
  if (weight !== config) {
    return weight > config
      ? `the clusters are ahead of the config: ${says}. Merge the weight that is proposed, or write weight: ${weight} into the config.`
      : `the clusters are ahead of the config: ${says}. Write weight: ${weight} into the config.`;
  }
  const last = await lastKnown().catch(() => undefined);
  const names = settings.clusters.map(({ name }) => name);
  const updated = weightsOf(awayStatus({ ...settings, away: names }, last));
  const had = updated.length === 1 ? updated[0] : undefined;
  if (had === has) {
    return `the config is ahead of the clusters: it has ${config} %, and the last update gave them ${has} %. To carry it out: ${up}`;
  }
  const gave = had === undefined ? "" : `, and the last update gave them ${had} %`;
  return `somebody has changed the weight in the clusters: they have ${has} %, the config has ${config} %${gave}. What ${up} would do: docs/operations.md#after-a-canary-was-taken-back.`;
}
