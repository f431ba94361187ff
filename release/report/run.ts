import type { TimedEvent } from "../rollout-event.ts";
import type { ReportData, ReportPhase } from "./report-data.ts";

/** What the events tell of one rollout. */
export interface Run extends Pick<ReportData, "end" | "phases" | "events" | "verdicts"> {
  /** The canaries with their images. @default the events do not tell */
  readonly release: string | undefined;
}

const at = ({ time }: TimedEvent) => Date.parse(time);

/** The last rollout that the events tell of: a file may hold several. */
export function lastRun(all: readonly TimedEvent[]): Run {
  const first = all.findLastIndex((each) => each.event === "begin" && !each.resumed);
  const events = all.slice(Math.max(0, first));
  const end = events.findLast((each) => each.event === "begin" || each.event === "end");
  return {
    release: events.findLast((each) => each.event === "begin")?.release,
    phases: phasesOf(events),
    events: events.filter(({ event }) => event !== "look"),
    verdicts: verdictsOf(events),
    ...(end?.event === "end" && { end: { result: end.result, reason: end.reason } }),
  };
}

/** The weight that an event brings into force in every cluster. */
function weightAfter(event: TimedEvent): number | undefined {
  if (event.event === "begin" || event.event === "raised") return event.weight;
  return event.event === "rolled-back" ? 0 : undefined;
}

function phasesOf(events: readonly TimedEvent[]): readonly ReportPhase[] {
  const phases: ReportPhase[] = [];
  for (const event of events) {
    const weight = weightAfter(event);
    const last = phases.at(-1);
    if (weight === undefined || weight === last?.weight) continue;
    if (last) last.to = at(event);
    phases.push({ weight, from: at(event) });
  }
  return phases;
}

function verdictsOf(events: readonly TimedEvent[]): Run["verdicts"] {
  const last = new Map<string, Run["verdicts"][number]>();
  for (const event of events) {
    if (event.event !== "look" || event.verdicts.length === 0) continue;
    const { weight, since, verdicts } = event;
    last.set(`${since} ${weight}`, { weight, time: at(event), verdicts });
  }
  return [...last.values()];
}
