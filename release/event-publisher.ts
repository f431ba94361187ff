import { explain } from "../fleet/explain.ts";
import { eventLine } from "./events.ts";
import type { RolloutEvent, TimedEvent } from "./rollout-event.ts";

/** Where events go. */
interface Sinks {
  /** Stores a line of JSON. @default events are not stored */
  readonly append?: (line: string) => void;
  /** Shows an event, or its line of JSON. */
  readonly print: (event: TimedEvent, line: string) => void;
  /** Notifies people elsewhere. @returns why somebody could not be notified */
  readonly notify: (event: RolloutEvent) => Promise<readonly string[]>;
  /** Reports that an event could not be stored, or somebody could not be notified. */
  readonly warn: (text: string) => void;
}

/**
 * Publishes events to all sinks. It never fails and waits for nobody, since a rollback goes on meanwhile: a full
 * disk or a chat that does not answer must not keep a bad canary where it is.
 */
export class EventPublisher {
  readonly #sinks: Sinks;
  readonly #pending: Promise<void>[] = [];
  readonly #warnings = new Set<string>();

  constructor(sinks: Sinks) {
    this.#sinks = sinks;
  }

  publish(event: TimedEvent): void {
    const { append, print, notify } = this.#sinks;
    const line = eventLine(event);
    try {
      append?.(line);
    } catch (error) {
      this.#warn(`events cannot be stored: ${explain(error)}`);
    }
    print(event, line);
    this.#pending.push(
      notify(event).then((failures) => {
        failures.forEach((failure) => {
          this.#warn(failure);
        });
      }),
    );
  }

  /** Resolves when everybody has been notified, or has not answered in time. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Gives each warning once. */
  #warn(text: string): void {
    if (this.#warnings.has(text)) return;
    this.#warnings.add(text);
    this.#sinks.warn(text);
  }
}
