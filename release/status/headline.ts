import { allOf } from "../../lib/enumerate.ts";
import { eventText } from "../events.ts";
import { decides } from "../planner.ts";
import { briefRelease } from "../release-settings.ts";
import type { TimedEvent } from "../rollout-event.ts";
import type { ReleaseStatus } from "./release-status.ts";
import { guardLines, remarks, rolloutLine, watchLine } from "./status-text.ts";
import type { ReleaseLook } from "./look.ts";

/** What is to be known within a second: the state of the release, and what somebody has to look at. */
export interface Headline {
  /** good: it is as it was wanted. bad: the canary has failed, or nobody knows. open: it goes on. */
  readonly kind: "good" | "bad" | "open";
  readonly title: string;
  /** The same in a sentence. */
  readonly says: string;
  /** What needs somebody's eyes, one each, most urgent first. */
  readonly attention: readonly string[];
}

const ENDS = {
  done: ["good", "Done: the canary gets 100 % of the requests in every cluster"],
  "rolled-back": ["bad", "Rolled back: the canary gets 0 % of the requests in every cluster"],
  stopped: ["open", "Stopped: the weight stays as it is"],
} as const satisfies Readonly<Record<string, readonly [Headline["kind"], string]>>;

/** The percent that the clusters serve: `30 %`, or `0 % and 30 %` where they differ. */
function servedText({ clusters }: ReleaseStatus): string {
  const served = new Set(
    clusters
      .filter(({ quarantined, away }) => !quarantined && away !== true)
      .flatMap(({ weights }) => Object.values(weights)),
  );
  return allOf([...served].map((weight) => `${weight} %`)) || "an unknown share";
}

/** Verdicts that will take the release back. */
export function failingIn(verdicts: ReleaseStatus["verdicts"]): ReleaseStatus["verdicts"] {
  return verdicts.filter((each) => decides(each) && each.outcome === "fail");
}

function state(status: ReleaseStatus): readonly [Headline["kind"], string] {
  const { forgotten, progress, changed, paused, verdicts } = status;
  const served = servedText(status);
  if (forgotten !== undefined) return ["bad", "It is not known whether a rollout is running"];
  if (!progress) return ["open", `No rollout: the canary gets ${served} of the requests`];
  const { end, rollingBack } = progress;
  if (end && changed)
    return [
      "open",
      `The weight was changed after the rollout: the canary gets ${served} of the requests`,
    ];
  if (end) return ENDS[end.result];
  if (rollingBack !== undefined)
    return ["bad", `Rolling back: the canary gets ${served} of the requests`];
  const failing = new Set(failingIn(verdicts).map(({ cluster }) => cluster));
  if (failing.size > 0)
    return ["bad", `A gate fails in ${allOf([...failing])}, at ${served} of the requests`];
  if (paused !== undefined) return ["open", `Paused: the canary gets ${served} of the requests`];
  return ["open", `Rolling out: the canary gets ${served} of the requests`];
}

/** The last thing that was refused or has not worked, unless a later step has. */
function lastRefusal(events: readonly TimedEvent[]): readonly string[] {
  const isStep = ({ event }: TimedEvent) =>
    ["raised", "rolled-back", "begin"].includes(event) || isRefusal(event);
  const last = events.findLast(isStep);
  const text = last && isRefusal(last.event) ? eventText(last) : undefined;
  return text === undefined ? [] : [text];
}

function isRefusal(event: TimedEvent["event"]): boolean {
  return ["raise-failed", "raise-waits", "rollback-incomplete"].includes(event);
}

/** The state of a release in words. */
export function headline({ status, events }: ReleaseLook): Headline {
  const [kind, title] = state(status);
  const { progress, watch, guards = [], verdicts, clusters, paused } = status;
  const unwatched = progress && !progress.end && (!watch || watch.stale) ? watchLine(status) : [];
  const missing = guards.some(({ stale }) => stale)
    ? guardLines({ ...status, guards: guards.filter(({ stale }) => stale) })
    : [];
  return {
    kind,
    title,
    says: `${briefRelease(status.release)}: ${rolloutLine(status)}`,
    attention: [
      ...failingIn(verdicts).map(({ text }) => text),
      ...lastRefusal(events),
      ...clusters.flatMap(remarks),
      ...clusters.flatMap(({ cluster, alerts = [] }) =>
        alerts.length === 0 ? [] : [`alerts in ${cluster}: ${alerts.join(", ")}`],
      ),
      ...(paused === undefined ? [] : [paused]),
      ...unwatched,
      ...missing,
    ],
  };
}
