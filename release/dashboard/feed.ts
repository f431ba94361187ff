import { setTimeout as wait } from "node:timers/promises";
import { explain } from "../../fleet/explain.ts";
import { timeOfDay } from "../report/format.ts";
import type { Parts } from "./parts.ts";

/** Parts of a stack's page that are made together. */
export interface Maker {
  /** Which ones: the others are none the older if they cannot be made. */
  readonly makes: readonly (keyof Parts)[];
  /** Pause between two times, in milliseconds. */
  readonly everyMs: number;
  /** @throws if they cannot be made now */
  make(): Promise<Parts>;
}

/** What a browser gets of one maker: the parts that are new, or why they could not be made anew. */
export interface Message {
  readonly parts: Parts;
  /** All parts that the maker makes. */
  readonly makes: readonly (keyof Parts)[];
  /** Time of day in UTC. */
  readonly at: string;
  /** @default all is new */
  readonly problem?: string;
}

/** Keeps a stack's page as the clusters are, while anybody looks at it; else it asks nobody. */
export class Feed {
  readonly #makers: readonly Maker[];
  readonly #readers = new Set<(message: Message) => void>();
  readonly #last = new Map<Maker, Message>();
  #ends = new AbortController();

  constructor(makers: readonly Maker[]) {
    this.#makers = makers;
  }

  /**
   * Tells a reader what is known, and from then on what is new.
   *
   * @returns what ends it
   */
  follow(reader: (message: Message) => void): () => void {
    for (const message of this.#last.values()) reader(message);
    this.#readers.add(reader);
    if (this.#readers.size === 1) {
      this.#ends = new AbortController();
      for (const maker of this.#makers) void this.#keep(maker, this.#ends.signal);
    }
    return () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#ends.abort();
    };
  }

  async #keep(maker: Maker, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const message = await made(maker);
      // Who comes later needs the parts that were made last, though the newest try has failed.
      const { parts } = this.#last.get(maker) ?? { parts: {} };
      this.#last.set(maker, { ...message, parts: { ...parts, ...message.parts } });
      for (const reader of this.#readers) reader(message);
      await wait(maker.everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function made(maker: Maker): Promise<Message> {
  const { makes } = maker;
  try {
    const parts = await maker.make();
    return { parts, makes, at: timeOfDay(Date.now()) };
  } catch (error) {
    return { parts: {}, makes, at: timeOfDay(Date.now()), problem: explain(error) };
  }
}
