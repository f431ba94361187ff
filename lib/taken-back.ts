import { isDeepStrictEqual } from "node:util";
import { leastShareOf, type DeployedCluster } from "./deployed.ts";
import { exceptionFix } from "./exceptions.ts";
import {
  configuredIn,
  failureId,
  forgivenIn,
  guardsIn,
  isZeroedSince,
  newerKeys,
  newest,
  progressSchema,
  type Configured,
  type Notes,
} from "./journal.ts";
import type { Problem } from "./problems.ts";
import { weightIn, type Wanted } from "./release-rules.ts";
import { guardsVerdict, rolloutsVerdict } from "./verdict.ts";

/** The journals of all clusters, by cluster; one for each namespace of a service. */
export type Journals = ReadonlyMap<string, readonly Notes[]>;

/** What the journals are asked about. */
export interface Asked {
  readonly stack: string;
  /** The canaries with their images; see releaseName. */
  readonly release: string;
}

/** What an update does about the weight that is configured. */
export type WeightDecision =
  | {
      readonly do: "carry out";
      /** What guards have said of the canary that counts no more; see failureId. @default nothing has to be forgiven */
      readonly forgives?: readonly string[];
    }
  /** The clusters keep what they have, and all else is updated. */
  | { readonly do: "keep"; readonly weight: number; readonly warning: string }
  | { readonly do: "refuse"; readonly problem: Problem };

/** What an update configures in a cluster. */
export function configuredFor({ routes, quarantine }: Wanted, cluster: string): Configured {
  const weight = Math.max(0, ...routes.map((route) => route.weight));
  return {
    weight: weightIn({ weight, quarantine }, cluster),
    canaries: Object.fromEntries(
      routes.flatMap(({ key, canary, canaryImage = "" }) =>
        canary === undefined ? [] : [[key, `${canary} (${canaryImage})`]],
      ),
    ),
  };
}

/** What a cluster gives a canary that has a weight of its own, and what the last update has configured there. */
interface Served {
  readonly cluster: string;
  readonly key: string;
  readonly canary: string;
  readonly share: number;
  readonly writtenBy: string | undefined;
  readonly before: Configured | undefined;
  /** Whether `release zero` has taken it back since. */
  readonly isZeroed: boolean;
}

/** Of the clusters that answer and are not in quarantine. */
function servedIn(
  deployed: readonly DeployedCluster[],
  { routes, quarantine }: Wanted,
  journals: Journals,
  { stack }: Asked,
): readonly Served[] {
  return deployed
    .filter(({ name }) => !quarantine.includes(name))
    .flatMap((cluster) => {
      const notes = journals.get(cluster.name) ?? [];
      const before = configuredIn(notes, stack);
      return routes.flatMap(({ key, canary, role }): Served[] => {
        const route = cluster.routes.get(key);
        if (!route || canary === undefined || role === "follower") return [];
        const share = leastShareOf(route, canary);
        const { writtenBy } = route;
        const isZeroed = isZeroedSince(notes, stack, { key, canary });
        return [{ cluster: cluster.name, key, canary, share, writtenBy, before, isZeroed }];
      });
    });
}

/** Whether a cluster gives a canary less than the last update of that very canary has configured. */
function isLower({ cluster, key, share, before }: Served, wanted: Wanted): boolean {
  const now = configuredFor(wanted, cluster).canaries[key];
  return before !== undefined && before.canaries[key] === now && share < before.weight;
}

/** The clusters in which `release zero` has taken a canary back, in words. */
function zeroed(served: readonly Served[], wanted: Wanted): string | undefined {
  const all = served.filter((each) => each.isZeroed && isLower(each, wanted));
  const [first] = all;
  return (
    first &&
    `release zero has taken ${first.canary} of ${first.key} back in ${all.map(({ cluster }) => cluster).join(", ")}`
  );
}

/** The canary that every cluster gives less than the last update has configured, in words. */
function loweredByHand(served: readonly Served[], wanted: Wanted): string | undefined {
  const [lowered] = [...Map.groupBy(served, ({ key }) => key).values()].filter((all) =>
    all.every((each) => isLower(each, wanted)),
  );
  const [first] = lowered ?? [];
  if (!lowered || !first) return undefined;
  const has = lowered.map(
    ({ cluster, share, writtenBy }) =>
      `${share} % in ${cluster}${writtenBy === undefined ? "" : ` (written by ${writtenBy})`}`,
  );
  return `somebody has lowered ${first.canary} of ${first.key} from ${first.before?.weight ?? 0} %: ${has.join(", ")}`;
}

/**
 * Compares what is configured, what the last complete update has configured, and what the clusters have. What is not
 * higher than what they have is carried out. What is, is carried out too, unless the canary was taken back: by a guard, a
 * rollout, `release zero`, or by hand in all clusters. Then a weight that was configured before stays as low as it is, and one that is
 * new is refused.
 */
export function decideWeight(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
  journals: Journals,
  asked: Asked,
): WeightDecision {
  const weight = Math.max(0, ...wanted.routes.map((route) => route.weight));
  const served = servedIn(deployed, wanted, journals, asked);
  if (served.every(({ share }) => share >= weight)) return { do: "carry out" };

  const refuse = (rule: string, fix: string): WeightDecision => ({
    do: "refuse",
    problem: { path: "weight", value: weight, rule, fix },
  });
  const newer = [...journals].flatMap(([cluster, notes]) =>
    newerKeys(notes).map((key) => `${key} in ${cluster}`),
  );
  if (newer.length > 0) {
    return refuse(
      `must not rise by this program: a newer one has written what it does not know (${newer.join(", ")})`,
      "Update the program. A lower weight is always allowed.",
    );
  }

  const found = [...journals.values()].flat();
  const { release } = asked;
  const progress = newest(found, "progress", progressSchema)?.progress;
  const isZero = served.every(({ share }) => share === 0);
  const guards = guardsIn(found);
  const reason =
    guardsVerdict(guards, release, progress, forgivenIn(found)) ??
    rolloutsVerdict(progress, release, isZero) ??
    zeroed(served, wanted) ??
    loweredByHand(served, wanted);
  if (reason === undefined) return { do: "carry out" };
  if (wanted.allow.includes("retry-canary")) {
    const failed = guards.filter((note) => note.release === release && note.failed);
    return { do: "carry out", forgives: failed.map(failureId) };
  }

  const least = Math.min(...served.map(({ share }) => share));
  const phase = wanted.phases.findLast((each) => each <= least) ?? 0;
  const fix =
    `Set another version or image, or what the clusters have: pulumi config set weight ${phase}. ` +
    `To try the same canary once more in a rollout: npm run release -- rollout --stack ${asked.stack} --again. ` +
    exceptionFix("retry-canary", wanted.allow);
  const unchanged = served.every(({ cluster, before }) =>
    isDeepStrictEqual(before, configuredFor(wanted, cluster)),
  );
  if (!unchanged) return refuse(`must not rise: this canary was taken back: ${reason}`, fix);
  return {
    do: "keep",
    weight: least,
    warning: [
      `The weight stays ${least} % though the config has ${weight} %: this canary was taken back. All else is updated.`,
      `Why: ${reason}`,
      fix,
    ].join("\n"),
  };
}
