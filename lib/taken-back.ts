import { isDeepStrictEqual } from "node:util";
import { leastShareOf, type DeployedCluster } from "./deployed.ts";
import { exceptionFix } from "./exceptions.ts";
import {
  configuredIn,
  failedIn,
  failureId,
  forgivenIn,
  guardsIn,
  isZeroedSince,
  newerKeys,
  newest,
  progressSchema,
  retriesIn,
  type Configured,
  type Notes,
} from "./journal.ts";
import type { Problem } from "./problems.ts";
import { canariesIn, canariesOf } from "./release-name.ts";
import { weightIn, type Wanted } from "./release-rules.ts";
import { failedCanaries, guardsVerdict, rolloutsVerdict } from "./verdict.ts";

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
      /** What guards have said of the canary that counts no more; see failureId. @default it was not taken back */
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
  /** Percent at the host that gives it least. */
  readonly share: number;
  /** Percent at the host that gives it most, while it is the canary. */
  readonly most: number;
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
        const most = route.canary === canary ? route.weight : 0;
        const { writtenBy } = route;
        const isZeroed = isZeroedSince(notes, stack, { key, canary });
        return [{ cluster: cluster.name, key, canary, share, most, writtenBy, before, isZeroed }];
      });
    });
}

/** What the last update has configured in the cluster for this very canary, in percent. @default 0 */
function notedFor({ cluster, key, before }: Served, wanted: Wanted): number {
  return before && before.canaries[key] === configuredFor(wanted, cluster).canaries[key]
    ? before.weight
    : 0;
}

/** The clusters in which `release zero` has taken a canary back, in words. */
function zeroed(served: readonly Served[], wanted: Wanted): string | undefined {
  const all = served.filter((each) => each.isZeroed && each.share < notedFor(each, wanted));
  const [first] = all;
  return (
    first &&
    `release zero has taken ${first.canary} of ${first.key} back in ${all.map(({ cluster }) => cluster).join(", ")}`
  );
}

/**
 * The canary that every cluster gives less than the last update has configured, in words. A cluster of which nothing is
 * noted, or that was in quarantine, is compared with the others: all of them have one weight.
 */
function loweredByHand(served: readonly Served[], wanted: Wanted): string | undefined {
  for (const all of Map.groupBy(served, ({ key }) => key).values()) {
    const before = all.map((each) => notedFor(each, wanted));
    const highest = Math.max(...before);
    const isLower = (share: number, noted = 0) => share < (noted > 0 ? noted : highest);
    const [first] = all;
    if (!first || !all.every(({ share }, i) => isLower(share, before[i]))) continue;
    const has = all.map(
      ({ cluster, share, writtenBy }) =>
        `${share} % in ${cluster}${writtenBy === undefined ? "" : ` (written by ${writtenBy})`}`,
    );
    return `somebody has lowered ${first.canary} of ${first.key} from ${highest} %: ${has.join(", ")}`;
  }
  return undefined;
}

/** The first of the release's canaries that were taken back, in words. */
function before(failed: Readonly<Record<string, string>>, release: string): string | undefined {
  const [first] = Object.entries(failed).filter(([canary]) => canariesIn(release).includes(canary));
  return first && `${first[0]} was taken back before: ${first[1]}`;
}

/**
 * The canaries of the release that were taken back, and why, by their names in it: also as part of another release. An
 * update notes them, since a guard forgets what it has said of a release once there is another one. Of a service that has
 * no canary now, the last one stays noted, until that version is the stable one.
 */
export function takenBack(
  deployed: readonly DeployedCluster[],
  wanted: Wanted,
  journals: Journals,
  asked: Asked,
): Readonly<Record<string, string>> {
  const found = [...journals.values()].flat();
  const progress = newest(found, "progress", progressSchema)?.progress;
  const isZero = servedIn(deployed, wanted, journals, asked).every(({ share }) => share === 0);
  const now = failedCanaries(guardsIn(found), progress, forgivenIn(found), isZero);
  const before = failedIn(found, asked.stack);
  const resting = wanted.routes
    .filter(({ canary }) => canary === undefined)
    .flatMap(({ key, stable }) =>
      [...now.keys(), ...Object.keys(before)].filter(
        (canary) => canary.startsWith(`${key} `) && canary.split(" ")[1] !== stable,
      ),
    );
  return Object.fromEntries(
    [...canariesIn(asked.release), ...new Set(resting)].flatMap((canary) => {
      const reason = now.get(canary) ?? before[canary];
      return reason === undefined ? [] : [[canary, reason] as const];
    }),
  );
}

/**
 * Compares what is configured, what the last complete update has configured, and what the clusters have. What is not
 * higher than what they have is carried out. What is, is carried out too, unless the canary was taken back: by a guard, a
 * rollout, `release zero`, or by hand in all clusters. Then a weight that was configured before stays as low as it is, and
 * one that is new is refused, unless it is lower than what some cluster has: nothing delays a lower weight.
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

  const least = Math.min(...served.map(({ share }) => share));
  const lowers = served.some(({ most }) => most > weight);
  const refuse = (rule: string, fix: string): WeightDecision => ({
    do: "refuse",
    problem: { path: "weight", value: weight, rule: `must not rise${rule}`, fix },
  });
  const keep = (rule: string, why: string, fix: string): WeightDecision => ({
    do: "keep",
    weight: least,
    warning: [
      `The weight ${served.some(({ most }) => most > least) ? "falls to" : "stays"} ${least} % though the config has ${weight} %: ${rule}. All else is updated.`,
      `Why: ${why}`,
      fix,
    ].join("\n"),
  });
  const newer = [...journals].flatMap(([cluster, notes]) =>
    newerKeys(notes).map((key) => `${key} in ${cluster}`),
  );
  if (newer.length > 0) {
    const why = `a newer one has written what it does not know (${newer.join(", ")})`;
    const fix = "Update the program. A lower weight is always allowed.";
    return lowers
      ? keep("this program must not raise it where it is lower", why, fix)
      : refuse(` by this program: ${why}`, fix);
  }

  const found = [...journals.values()].flat();
  const { release } = asked;
  const progress = newest(found, "progress", progressSchema)?.progress;
  const isZero = served.every(({ share }) => share === 0);
  const guards = guardsIn(found);
  const reason =
    guardsVerdict(guards, release, progress, forgivenIn(found)) ??
    rolloutsVerdict(progress, release, isZero) ??
    before(takenBack(deployed, wanted, journals, asked), release) ??
    zeroed(served, wanted) ??
    loweredByHand(served, wanted);
  if (reason === undefined) return { do: "carry out" };
  // Guards lower the canary, and a rollout goes on to, until that is over: to raise it meanwhile would only flap.
  const rollsBack =
    progress?.release === release && progress.rollingBack !== undefined && !progress.end;
  const allows = wanted.allow.includes("retry-canary");
  const isLeft = allows && retriesIn(found, asked.stack);
  if (allows && !isLeft && !rollsBack) {
    const tried = canariesIn(release);
    const failed = guards.filter(
      (note) =>
        note.failed &&
        canariesOf(note.release, note.failed.services).some((each) => tried.includes(each)),
    );
    return { do: "carry out", forgives: failed.map(failureId) };
  }

  const phase = wanted.phases.findLast((each) => each <= least) ?? 0;
  const fix =
    (rollsBack
      ? `Let the rollout finish first, or finish it: npm run release -- rollout --stack ${asked.stack}. `
      : "") +
    `Set another version or image, or what the clusters have: pulumi config set weight ${phase}. ` +
    `To try the same canary once more in a rollout: npm run release -- rollout --stack ${asked.stack} --again.` +
    (allows ? "" : ` ${exceptionFix("retry-canary", wanted.allow)}`) +
    (isLeft
      ? " retry-canary is good for one try, and the last update has had it: take it out of allow and run pulumi up first."
      : "");
  const unchanged = served.every(({ cluster, before }) =>
    isDeepStrictEqual(before, configuredFor(wanted, cluster)),
  );
  return unchanged || lowers
    ? keep("this canary was taken back", reason, fix)
    : refuse(`: this canary was taken back: ${reason}`, fix);
}
