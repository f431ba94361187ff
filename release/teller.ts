import { explain } from "../fleet/explain.ts";
import { eventLine } from "./events.ts";
import type { RolloutEvent, TimedEvent } from "./rollout-event.ts";

/** Who is told of events. */
interface Listeners {
  /** Keeps a line of JSON. @default nobody does */
  readonly append?: (line: string) => void;
  /** Shows an event, or its line of JSON. */
  readonly print: (event: TimedEvent, line: string) => void;
  /** Tells people elsewhere. @returns why somebody could not be told */
  readonly notify: (event: RolloutEvent) => Promise<readonly string[]>;
  /** Says that somebody could not be told. */
  readonly complain: (text: string) => void;
}

/**
 * Tells everybody what happens. It never fails and waits for nobody, since a rollback goes on meanwhile: a full
 * disk or a chat that does not answer must not keep a bad canary where it is.
 */
export class Teller {
  readonly #listeners: Listeners;
  readonly #told: Promise<void>[] = [];
  readonly #complaints = new Set<string>();

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
  }

  tell(event: TimedEvent): void {
    const { append, print, notify } = this.#listeners;
    const line = eventLine(event);
    try {
      append?.(line);
    } catch (error) {
      this.#complain(`events are not kept: ${explain(error)}`);
    }
    print(event, line);
    this.#told.push(
      notify(event).then((failures) => {
        failures.forEach((failure) => {
          this.#complain(failure);
        });
      }),
    );
  }

  /** When everybody has been told, or has not answered in time. */
  async settled(): Promise<void> {
    await Promise.all(this.#told);
  }

  /** Once is enough. */
  #complain(text: string): void {
    if (this.#complaints.has(text)) return;
    this.#complaints.add(text);
    this.#listeners.complain(text);
  }
}
