import * as z from "zod";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { readNotes, writeNotes } from "../fleet/notes.ts";
import {
  configuredKey,
  forgivenIn,
  guardKey,
  guardsIn,
  JOURNAL_FORMAT,
  newest,
  progressSchema,
  withoutRetries,
  type GuardKey,
  type GuardNote,
  type Notes,
} from "../lib/journal.ts";
import type { Progress } from "./planner.ts";
import { timedEvent, type TimedEvent } from "./rollout-event.ts";

const pauseSchema = z.object({
  at: z.number(),
  paused: z.boolean(),
  by: z.string(),
  reason: z.string().optional(),
});

const watchSchema = z.object({ at: z.number(), by: z.string() });

const eventsSchema = z.object({ at: z.number(), events: z.array(timedEvent) });

export type { GuardNote };

/** Who has paused or resumed the rollout; when, in milliseconds since 1970. */
export type Pause = z.output<typeof pauseSchema>;

/** Who looked at the release last; when, in milliseconds since 1970. */
export type Watch = z.output<typeof watchSchema>;

/** What is remembered of a rollout. */
export interface Remembered {
  readonly progress: Progress | undefined;
  readonly pause: Pause | undefined;
  readonly watch: Watch | undefined;
  /** The newest note of each cluster's guard. */
  readonly guards: readonly GuardNote[];
  /** What guards have said that counts no more, since an update tries the canary again; see failureId. */
  readonly forgiven: readonly string[];
  /** Of the last rollout, as withEvent keeps them. */
  readonly events: readonly TimedEvent[];
  /** Clusters that could not be read, and why. */
  readonly silent: ReadonlyMap<string, string>;
}

/**
 * What a rollout remembers, in a ConfigMap in the services' namespaces of every cluster: there any
 * terminal finds it, and a cluster that cannot be reached takes nothing with it. What counts is the newest that any
 * cluster has. The command that rolls out, the one that pauses and each cluster's guard own keys of their own, as field
 * managers, so that none overwrites another.
 */
export class Journal {
  readonly #clusters: readonly ClusterClient[];
  readonly #namespaces: readonly string[];

  /** @param namespaces of the services */
  constructor(clusters: readonly ClusterClient[], namespaces: readonly string[]) {
    this.#clusters = clusters;
    this.#namespaces = [...new Set(namespaces)];
  }

  /** @throws if no cluster can be read */
  async read(): Promise<Remembered> {
    const silent = new Map<string, string>();
    const found = await Promise.all(
      this.#places().map(async ({ cluster, namespace }): Promise<Notes> => {
        try {
          return await readNotes(cluster, namespace);
        } catch (error) {
          silent.set(cluster.name, explain(error));
          return {};
        }
      }),
    );
    if (silent.size === this.#clusters.length) {
      throw new Error(
        `No cluster can be read:\n${[...silent].map(([name, why]) => ` - ${name}: ${why}`).join("\n")}`,
      );
    }
    return {
      progress: newest(found, "progress", progressSchema)?.progress,
      pause: newest(found, "pause", pauseSchema),
      watch: newest(found, "watch", watchSchema),
      guards: guardsIn(found),
      forgiven: forgivenIn(found),
      events: newest(found, "events", eventsSchema)?.events ?? [],
      silent,
    };
  }

  /**
   * Writes how far the rollout is, and what has happened in it.
   *
   * @param progress undefined if nothing is to be remembered yet
   * @returns why it could not be written, by cluster
   */
  async writeProgress(
    progress: Progress | undefined,
    events: readonly TimedEvent[],
    now: number,
  ): Promise<ReadonlyMap<string, string>> {
    return this.#write("progress", {
      ...(progress && { progress: { format: JOURNAL_FORMAT, at: now, progress } }),
      events: { at: now, events },
    });
  }

  /** @returns why it could not be written, by cluster */
  async writePause(pause: Pause): Promise<ReadonlyMap<string, string>> {
    return this.#write("pause", { pause });
  }

  /** Tells that somebody looks at the release. @returns why it could not be written, by cluster */
  async writeWatch(watch: Watch): Promise<ReadonlyMap<string, string>> {
    return this.#write("watch", { watch });
  }

  /** Tells what a cluster's guard does. @returns why it could not be written, by cluster */
  async writeGuard(note: GuardNote): Promise<ReadonlyMap<string, string>> {
    const key = guardKey(note.cluster);
    return this.#write(key, { [key]: note });
  }

  /**
   * Lets the next update raise a canary that was taken back, though the last one has done so already.
   *
   * @param stack its name, with or without organization and project
   * @param namespaces of all the stack's services: updates also note there where no service has a canary
   * @returns why it could not be written, by cluster
   */
  async retryAgain(
    stack: string,
    namespaces: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>();
    const name = stack.split("/").at(-1) ?? stack;
    const key = configuredKey(name);
    await Promise.all(
      this.#places([...new Set(namespaces)]).map(async ({ cluster, namespace }) => {
        try {
          const note = withoutRetries(await readNotes(cluster, namespace), name);
          if (note) await writeNotes(cluster, namespace, key, { [key]: note });
        } catch (error) {
          failed.set(cluster.name, explain(error));
        }
      }),
    );
    return failed;
  }

  #places(namespaces = this.#namespaces) {
    return this.#clusters.flatMap((cluster) =>
      namespaces.map((namespace) => ({ cluster, namespace })),
    );
  }

  async #write(
    owner: "progress" | "pause" | "watch" | GuardKey,
    values: Readonly<Record<string, unknown>>,
  ): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>();
    await Promise.all(
      this.#places().map(async ({ cluster, namespace }) => {
        try {
          await writeNotes(cluster, namespace, owner, values);
        } catch (error) {
          failed.set(cluster.name, explain(error));
        }
      }),
    );
    return failed;
  }
}
