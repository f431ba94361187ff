import type { GuardNote } from "../../lib/journal.ts";
import { goesOn, guardsVerdict, isOver } from "../../lib/verdict.ts";
import {
  decides,
  noFailure,
  oneMoreFailure,
  servicesOf,
  type Progress,
  type Verdict,
} from "../planner.ts";

/** What a guard goes by; times in milliseconds. */
export interface GuardRules {
  /** The cluster in which it runs. */
  readonly cluster: string;
  /** Whether the weight is not in force there. */
  readonly quarantined: boolean;
  /** Names of the other clusters. */
  readonly others: readonly string[];
  /** The canaries that it watches; see releaseName. */
  readonly release: string;
  /** Looks that may fail in a phase. */
  readonly maxFailures: Progress["failures"];
  /** How long no other cluster may answer. Infinity: for ever. */
  readonly partitionLimitMs: number;
}

/** What is known of one cluster. */
export interface Sight {
  /** Whether it has answered at the last look. What is known of one that has not is older. */
  readonly answers: boolean;
  /** Highest percent that a canary of the release has. @default it has never answered */
  readonly weight?: number | undefined;
  /** What its journal has of a rollout. @default nothing */
  readonly progress?: Progress | undefined;
  /** What its journal has of the guards. */
  readonly guards: readonly GuardNote[];
  /** What of it counts no more, since an update tries the canary again; see failureId. @default nothing */
  readonly forgiven?: readonly string[] | undefined;
}

/** All clusters that are known, by name. */
export type Sights = ReadonlyMap<string, Sight>;

/** What a guard remembers from one look to the next; its note in the journal holds it. */
export type GuardMemory = Pick<
  GuardNote,
  "release" | "weight" | "since" | "failures" | "failed" | "contactAt"
>;

/** What a guard does, in every cluster that answers. There is no way to raise a weight. */
export interface Action {
  readonly do: "watch" | "hold" | "lower";
  readonly reason: string;
  /** Whether it is about that no other cluster answers while the canary has weight. @default false */
  readonly cutOff?: boolean;
}

/** The phase that a rollout of the release has begun last. */
function phaseOf(sights: Sights, release: string): Progress | undefined {
  const [newest, ...others] = [...sights.values()]
    .flatMap(({ progress }) => (progress?.release === release ? [progress] : []))
    .toSorted((one, other) => other.since - one.since);
  if (!newest) return undefined;
  // One cluster may not have heard of the way back yet.
  const same = others.filter(({ since }) => since === newest.since);
  const rollingBack = [newest, ...same].find((each) => each.rollingBack !== undefined)?.rollingBack;
  return rollingBack === undefined ? newest : { ...newest, rollingBack };
}

/** What counts no more of what guards have said, wherever that is noted. */
function forgivenIn(sights: Sights): readonly string[] {
  return [...sights.values()].flatMap(({ forgiven = [] }) => forgiven);
}

/**
 * The percent at which the guard's cluster is judged: its own, or that of the others in quarantine and while its own
 * API server has not answered yet.
 */
function weightOf({ cluster, quarantined, others }: GuardRules, sights: Sights) {
  const own = quarantined ? undefined : sights.get(cluster)?.weight;
  const theirs = others.flatMap((name) => sights.get(name)?.weight ?? []);
  return own ?? (theirs.length === 0 ? undefined : Math.max(...theirs));
}

/**
 * What is remembered after a look at the clusters. A new release, a new phase and a new rollout of the same canary
 * each begin without what has failed before.
 *
 * @param now in milliseconds since 1970
 */
export function remembered(
  before: GuardMemory | undefined,
  rules: GuardRules,
  sights: Sights,
  now: number,
): GuardMemory {
  const { cluster, release, others } = rules;
  const own = before?.release === release ? before : undefined;
  const phase = phaseOf(sights, release);
  const weight = weightOf(rules, sights) ?? own?.weight ?? 0;
  const atPhase = phase && goesOn(phase) && phase.weight === weight;
  const since = atPhase ? phase.since : own?.weight === weight ? own.since : now;
  const note = { cluster, failed: own?.failed };
  const failed = isOver(note, phase, forgivenIn(sights)) ? undefined : own?.failed;
  const samePhase =
    own?.weight === weight && own.since === since && (own.failed === undefined || failed);
  // While nothing is at stake, nobody needs to be reached.
  const safe = weight === 0 || others.some((name) => sights.get(name)?.answers === true);
  return {
    release,
    weight,
    since,
    failures: samePhase ? own.failures : { consecutive: 0, total: 0 },
    failed,
    contactAt: safe ? now : (before?.contactAt ?? now),
  };
}

/**
 * What is remembered after a look at the gates; failed looks count as in a rollout.
 *
 * @param now in milliseconds since 1970
 */
export function judged(
  memory: GuardMemory,
  verdicts: readonly Verdict[],
  { maxFailures }: Pick<GuardRules, "maxFailures">,
  now: number,
): GuardMemory {
  const bad = verdicts.filter((verdict) => decides(verdict) && verdict.outcome === "fail");
  if (bad.length === 0) return { ...memory, failures: noFailure(memory.failures) };
  const { failures, tooMany } = oneMoreFailure(memory.failures, maxFailures);
  const { weight, since } = memory;
  return {
    ...memory,
    failures,
    ...(tooMany &&
      !memory.failed && {
        failed: {
          ...{ reason: bad.map(({ text }) => text).join("; "), weight, since, at: now },
          services: servicesOf(bad),
        },
      }),
  };
}

/** Why the release is to be lowered in every cluster. @returns undefined if it is not */
function verdictOf(
  { failed }: GuardMemory,
  { cluster, release }: GuardRules,
  sights: Sights,
): string | undefined {
  if (failed) return failed.reason;
  const phase = phaseOf(sights, release);
  if (phase?.rollingBack !== undefined) return `a rollout rolls it back: ${phase.rollingBack}`;
  const others = [...sights.values()]
    .flatMap(({ guards }) => guards)
    .filter((note) => note.cluster !== cluster);
  return guardsVerdict(others, release, phase, forgivenIn(sights));
}

/** Those of the clusters that have not answered at the last look. */
export function awayFrom(clusters: readonly string[], sights: Sights): readonly string[] {
  return clusters.filter((name) => sights.get(name)?.answers !== true);
}

/**
 * What is to be done now.
 *
 * @param verdicts of the last look at the gates of the guard's own cluster
 * @param now in milliseconds since 1970
 */
export function actionOf(
  memory: GuardMemory,
  rules: GuardRules,
  sights: Sights,
  verdicts: readonly Verdict[],
  now: number,
): Action {
  const hold = (reason: string): Action => ({ do: "hold", reason });
  const verdict = verdictOf(memory, rules, sights);
  if (verdict !== undefined) return { do: "lower", reason: verdict };

  const { cluster, others, partitionLimitMs } = rules;
  const away = awayFrom(others, sights);
  const own = sights.get(cluster);
  if (others.length > 0 && away.length === others.length) {
    if (memory.weight === 0) return hold(`no other cluster answers: ${away.join(", ")}`);
    const since = `no other cluster has answered since ${new Date(memory.contactAt).toISOString()}: ${away.join(", ")}`;
    const limit = (own?.weight ?? 0) > 0 && now - memory.contactAt >= partitionLimitMs;
    return { do: limit ? "lower" : "hold", reason: since, cutOff: true };
  }
  if (own?.answers !== true) return hold(`the API server of ${cluster} does not answer`);
  const decisive = verdicts.filter(decides);
  const bad = decisive.filter(({ outcome }) => outcome === "fail");
  if (bad.length > 0) {
    const { consecutive, total } = memory.failures;
    return hold(
      `${consecutive} looks in a row have failed, ${total} in this phase: ${bad.map(({ text }) => text).join("; ")}`,
    );
  }
  const blind = decisive.filter((each) => each.blind && each.outcome === "hold");
  if (blind.length > 0) return hold(blind.map(({ text }) => text).join("; "));
  if (away.length > 0) return hold(`no answer from ${away.join(", ")}`);
  return {
    do: "watch",
    reason: memory.weight === 0 ? "the canary has no weight" : "no gate has failed",
  };
}
