import { explain } from "../../fleet/explain.ts";
import { durationMs } from "../../lib/duration.ts";
import { deployedIn } from "../clusters.ts";
import type { Metrics } from "../gates/counters.ts";
import type { GateVerdict } from "../gates/verdict.ts";
import type { GuardNote, Remembered, Watch } from "../journal.ts";
import { pausedBy } from "../observer.ts";
import type { OpenRelease } from "../open.ts";
import { continues, endWeight, type Progress } from "../planner.ts";
import { planOf, releaseName } from "../release-settings.ts";
import { aheadText } from "./ahead.ts";
import { awayStatus } from "./away-status.ts";
import { chainStatus, type ChainStatus } from "./chain-status.ts";
import { clusterStatus, type ClusterStatus } from "./cluster-status.ts";
import type { Period } from "./traffic.ts";
import { whatNext } from "./what-next.ts";

/** What is counted while no phase runs: so many milliseconds before now. */
const LAST_MS = 5 * 60_000;

/** How a stack's release stands, in every cluster. */
export interface ReleaseStatus {
  readonly stack: string;
  readonly release: string;
  /** Percent of the requests for the canaries, by the configuration. */
  readonly config: number;
  readonly clusters: readonly ClusterStatus[];
  /** Whether config or clusters are ahead of the other, and what to do. @default they have the same weight, or nobody knows */
  readonly ahead?: string;
  /** The services that make one release. @default each is split on its own */
  readonly chain?: ChainStatus;
  /** Over which time requests are counted. */
  readonly period: Period;
  /** What is remembered of a rollout of this release. @default none has begun */
  readonly progress?: Progress;
  /** What was made of a rollout that has ended. @default it goes on, or the clusters serve what it has ended with */
  readonly changed?: ChangedSince;
  /** Why nobody knows whether one has begun. @default it is known */
  readonly forgotten?: string;
  /** Who holds the rollout, when and why. @default nobody */
  readonly paused?: string;
  /** Who looked at a rollout last that has not ended. @default nobody has */
  readonly watch?: Watched;
  /** What the guards in the clusters do. @default none watches this release */
  readonly guards?: readonly GuardStatus[];
  /** What the gates of the running phase say. */
  readonly verdicts: readonly GateVerdict[];
  /** What the rollout does next. @default no command drives one, or it is on its way back */
  readonly next?: string;
}

/** A command's last look at a rollout. */
interface Watched {
  readonly by: string;
  readonly at: string;
  /** How long ago that is. */
  readonly seconds: number;
  /** Whether it is longer ago than a command that still runs would let pass. */
  readonly stale: boolean;
}

/** What a cluster's guard does, and since when it runs. */
interface GuardStatus extends Watched, Pick<GuardNote, "cluster" | "does" | "says"> {
  readonly startedAt: string;
}

/** A guard writes a note every 30 s: one whose last is older than so many milliseconds does not watch. */
const GUARD_MISSING_MS = 90_000;

function guardStatus({ cluster, at, startedAt, does, says }: GuardNote, now: number): GuardStatus {
  return {
    cluster,
    by: `the guard in ${cluster}`,
    at: new Date(at).toISOString(),
    seconds: Math.max(0, Math.floor((now - at) / 1000)),
    stale: now - at > GUARD_MISSING_MS,
    startedAt: new Date(startedAt).toISOString(),
    does,
    says,
  };
}

/** Looks of a running command that may be missing. */
const MISSED_LOOKS = 3;
/** How long one look with all its answers may take, in milliseconds. */
const LOOK_TAKES_MS = 30_000;

/** Who has looked, and whether they still do. */
export function watchedBy({ at, by }: Watch, intervalMs: number, now: number): Watched {
  return {
    by,
    at: new Date(at).toISOString(),
    seconds: Math.max(0, Math.floor((now - at) / 1000)),
    stale: now - at > MISSED_LOOKS * intervalMs + LOOK_TAKES_MS,
  };
}

/** That the clusters serve another weight than a rollout has ended with. */
interface ChangedSince {
  /** Percent that it has ended with. */
  readonly from: number;
  /** When it has ended. @default its events are forgotten */
  readonly ended?: string;
  /** Percent that the clusters serve; more than one where they differ. */
  readonly to: readonly number[];
}

/** What the clusters that answer serve instead of what the rollout of this release has ended with. */
function changedSince(
  progress: Progress | undefined,
  events: Remembered["events"],
  clusters: readonly ClusterStatus[],
): ChangedSince | undefined {
  const { release = "", end } = progress ?? {};
  if (!end) return undefined;
  const to = clusters.flatMap(({ quarantined, away, weights }) => {
    const served = Object.values(weights);
    if (away) return [];
    return quarantined && served.every((each) => each === 0) ? [] : served;
  });
  if (continues(progress, release, to)) return undefined;
  const ended = events.findLast(({ event }) => event === "end")?.time;
  return {
    from: endWeight(end),
    ...(ended !== undefined && { ended }),
    to: [...new Set(to)],
  };
}

/** Since a running phase's weight has settled, as its gates count; else the last minutes. */
function periodOf(phase: Progress | undefined, settleMs: number, now: number): Period {
  const begin = phase ? phase.since + settleMs : now - LAST_MS;
  return {
    since: new Date(begin).toISOString(),
    until: now,
    seconds: Math.max(0, Math.floor((now - begin) / 1000)),
  };
}

/** Where a status is read. */
export interface StatusSources extends Pick<OpenRelease, "settings" | "clusters"> {
  readonly stack: Pick<OpenRelease["stack"], "name" | "lastKnown">;
  readonly metrics: ReadonlyMap<string, Metrics>;
  readonly journal: Pick<OpenRelease["journal"], "read">;
  readonly observer: Pick<OpenRelease["observer"], "verdicts">;
}

/**
 * Reads how a release stands. Clusters and Prometheuses that do not answer are part of the result.
 *
 * @param now in milliseconds since 1970
 */
export async function releaseStatus(
  { stack, settings, clusters, journal, observer, metrics }: StatusSources,
  now: number,
): Promise<ReleaseStatus> {
  const release = releaseName(settings);
  const [deployed, remembered] = await Promise.all([
    deployedIn(settings, clusters),
    journal.read().catch((error: unknown): Partial<Remembered> & { forgotten: string } => ({
      // Its clusters and their reasons, which come after the first line, are told cluster by cluster.
      forgotten: explain(error).replace(/:$/, ""),
    })),
  ]);
  const { progress, pause, watch, guards = [], events = [] } = remembered;
  const own = progress?.release === release ? progress : undefined;
  const runs = own && !own.end && own.rollingBack === undefined;
  const period = periodOf(runs ? own : undefined, durationMs(settings.rollout.settle), now);
  const isAny = settings.away.length > 0;
  const [found, verdicts, lastKnown] = await Promise.all([
    Promise.all(
      deployed.flatMap((each) => {
        const cluster = clusters.find(({ name }) => name === each.name);
        return cluster
          ? [clusterStatus(settings, cluster, each, metrics.get(each.name), period)]
          : [];
      }),
    ),
    runs ? observer.verdicts(own.weight, own.since, now) : [],
    isAny ? stack.lastKnown().catch(() => undefined) : undefined,
  ]);
  const all = [...found, ...awayStatus(settings, lastKnown)];
  const changed = changedSince(own, events, found);
  const ahead = await aheadText({
    ...{ settings, release, progress: own, clusters: found, stack: stack.name },
    lastKnown: () => stack.lastKnown(),
  });
  const paused = pausedBy(pause);
  const chain = chainStatus(deployed);
  const watching = guards
    .filter((note) => note.release === release)
    .map((note) => guardStatus(note, now))
    // Nobody expects word of a guard that the others are not updated with.
    .filter(({ cluster, stale }) => !stale || !settings.away.includes(cluster));
  const status: Omit<ReleaseStatus, "next"> = {
    stack: stack.name,
    release,
    config: settings.weight,
    clusters: settings.clusters.flatMap(
      ({ name }) => all.find(({ cluster }) => cluster === name) ?? [],
    ),
    ...(ahead !== undefined && { ahead }),
    ...(chain && { chain }),
    period,
    ...(own && { progress: own }),
    ...(changed && { changed }),
    ...("forgotten" in remembered && { forgotten: remembered.forgotten }),
    ...(paused !== undefined && { paused }),
    ...(own &&
      !own.end &&
      watch && { watch: watchedBy(watch, durationMs(settings.rollout.interval), now) }),
    ...(watching.length > 0 && { guards: watching }),
    verdicts,
  };
  const next = whatNext(
    status,
    planOf(settings, stack.name),
    durationMs(settings.rollout.interval),
    now,
  );
  return { ...status, ...(next !== undefined && { next }) };
}
