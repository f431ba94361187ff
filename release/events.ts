import { appendFileSync } from "node:fs";
import type { RolloutEvent } from "./rollout.ts";

/** An event as one line of JSON. */
export function eventLine(event: RolloutEvent, now: number): string {
  return JSON.stringify({ time: new Date(now).toISOString(), ...event });
}

/** Appends events to a file that only its owner reads, a line each. */
export function eventFile(path: string): (line: string) => void {
  return (line) => {
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
  };
}

/** An event for people, in one or more lines; undefined if there is nothing new in it. */
export function eventText(event: RolloutEvent): string | undefined {
  switch (event.event) {
    case "begin":
      return `rollout of ${event.release}, at ${event.weight} %`;
    case "look":
      return undefined;
    case "raise":
      return `raising to ${event.weight} % in every cluster`;
    case "raised":
      return `${event.weight} % in every cluster`;
    case "raise-failed":
      return `not raised to ${event.weight} %:\n${event.reason}`;
    case "roll-back":
      return `rolling back in every cluster: ${event.reason}`;
    case "rolled-back":
      return "0 % in every cluster";
    case "rollback-incomplete":
      return `not rolled back everywhere:\n${event.reason}`;
    case "not-remembered":
      return `${event.cluster} does not remember the rollout: ${event.reason}`;
    case "interrupted":
      return `interrupted at ${event.weight} %`;
    case "end":
      return `${event.result}: ${event.reason}`;
  }
}
