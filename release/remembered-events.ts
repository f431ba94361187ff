import type { TimedEvent } from "./rollout-event.ts";

/** Events that are remembered at most. */
const MOST_EVENTS = 200;
/** Characters that all of them may have as JSON: a ConfigMap holds 1 MiB with all its keys. */
const MOST_CHARACTERS = 256 * 1024;
/** Characters of one reason. */
const MOST_OF_REASON = 2_000;

/**
 * The events to be remembered after one more: those of one rollout, with the last look of each phase
 * alone. Where they become too many, the oldest ones after the first are dropped.
 */
export function withEvent(before: readonly TimedEvent[], event: TimedEvent): readonly TimedEvent[] {
  if (event.event === "begin" && !event.resumed) return [event];
  const kept =
    event.event === "look"
      ? before.filter(
          (each) =>
            each.event !== "look" || each.weight !== event.weight || each.since !== event.since,
        )
      : before;
  const events = [...kept, short(event)];
  const lengths = events.map((each) => JSON.stringify(each).length + 1);
  let characters = lengths.reduce((sum, length) => sum + length, 0);
  let gone = 0;
  while (
    events.length - gone > 1 &&
    (events.length - gone > MOST_EVENTS || characters > MOST_CHARACTERS)
  ) {
    gone++;
    characters -= lengths[gone] ?? 0;
  }
  return events.toSpliced(1, gone);
}

function short(event: TimedEvent): TimedEvent {
  return "reason" in event ? { ...event, reason: event.reason.slice(0, MOST_OF_REASON) } : event;
}
