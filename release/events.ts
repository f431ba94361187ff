import { appendFileSync, readFileSync } from "node:fs";
import * as z from "zod";
import { zeroedLines } from "./describe.ts";
import { fromJson } from "../lib/from-json.ts";
import { briefRelease } from "./release-settings.ts";
import { timedEvent, type RolloutEvent, type TimedEvent } from "./rollout-event.ts";

/** An event as one line of JSON. */
export function eventLine(event: TimedEvent): string {
  return JSON.stringify(event);
}

/**
 * The events of a file that `rollout --events` has written.
 *
 * @throws naming every line that is not an event
 */
export function readEvents(path: string): readonly TimedEvent[] {
  const problems: string[] = [];
  const events = readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line, i) => {
      if (line.trim() === "") return [];
      const parsed = timedEvent.safeParse(fromJson(line));
      if (parsed.success) return [parsed.data];
      problems.push(` - line ${i + 1}: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`);
      return [];
    });
  if (problems.length > 0) {
    throw new Error(
      [
        `${path} holds something other than events of a rollout:`,
        ...problems,
        "Use a file that was written by: release rollout --events FILE",
      ].join("\n"),
    );
  }
  return events;
}

/**
 * Appends events to a file that only its owner reads, a line each.
 *
 * @throws if the file cannot be written, before there is any event
 */
export function eventFile(path: string): (line: string) => void {
  const append = (text: string) => {
    appendFileSync(path, text, { mode: 0o600 });
  };
  append("");
  return (line) => {
    append(`${line}\n`);
  };
}

/** An event for people, in one or more lines; undefined if it says nothing new. */
export function eventText(event: RolloutEvent): string | undefined {
  switch (event.event) {
    case "begin":
      return `rollout of ${briefRelease(event.release)}, at ${event.weight} %`;
    case "look":
      return undefined;
    case "waits":
      return `waits at ${event.weight} % (${event.for}): ${event.reason}`;
    case "raise":
      return `raising to ${event.weight} % in every cluster`;
    case "raised":
      return `${event.weight} % in every cluster`;
    case "raise-failed":
      return `not raised to ${event.weight} %:\n${event.reason}`;
    case "raise-waits":
      return `not raised to ${event.weight} % yet, trying again:\n${event.reason}`;
    case "lowered":
      return ["lowered in every cluster:", ...zeroedLines(event.clusters)].join("\n");
    case "locked":
      return `Pulumi's state follows when another update has ended: ${event.reason}`;
    case "not-followed":
      return event.reason;
    case "roll-back":
      return `rolling back in every cluster: ${event.reason}`;
    case "rolled-back":
      return "0 % in every cluster";
    case "rollback-incomplete":
      return `not rolled back everywhere:\n${event.reason}`;
    case "not-remembered":
      return `the rollout could not be recorded in ${event.cluster}: ${event.reason}`;
    case "interrupted":
      return `interrupted at ${event.weight} %`;
    case "end":
      return `${event.result}: ${event.reason}`;
  }
}
