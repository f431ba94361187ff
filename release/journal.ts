import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import * as z from "zod";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain, isNotFound } from "../fleet/explain.ts";
import { fromJson } from "./from-json.ts";
import { GUARD_KEY, guardKey, JOURNAL, type GuardKey } from "../lib/journal.ts";
import type { Progress } from "./planner.ts";
import { timedEvent, type TimedEvent } from "./rollout-event.ts";

const failures = z.object({ consecutive: z.number(), total: z.number() });
const progressSchema = z.object({
  at: z.number(),
  progress: z.object({
    release: z.string(),
    weight: z.number(),
    since: z.number(),
    failures,
    blindSince: z.number().optional(),
    awaySince: z.number().optional(),
    begun: z.boolean(),
    rollingBack: z.string().optional(),
    end: z
      .object({ result: z.enum(["done", "rolled-back", "stopped"]), reason: z.string() })
      .optional(),
  }),
});
const pauseSchema = z.object({
  at: z.number(),
  paused: z.boolean(),
  by: z.string(),
  reason: z.string().optional(),
});

const watchSchema = z.object({ at: z.number(), by: z.string() });

const guardSchema = z.object({
  /** Of this note. An older program may read less of it, and never needs it to lower a weight. */
  format: z.number(),
  at: z.number(),
  /** The cluster in which the guard runs, and since when it does. */
  cluster: z.string(),
  startedAt: z.number(),
  release: z.string(),
  /** Percent that the canary has there, and since when; see GuardMemory. */
  weight: z.number(),
  since: z.number(),
  failures,
  failed: z.object({ reason: z.string(), weight: z.number(), since: z.number() }).optional(),
  contactAt: z.number(),
  /** What it does, and why. */
  does: z.enum(["watch", "hold", "lower"]),
  says: z.string(),
});

const eventsSchema = z.object({ at: z.number(), events: z.array(timedEvent) });

/** Who has paused or resumed the rollout; when, in milliseconds since 1970. */
export type Pause = z.output<typeof pauseSchema>;

/** Who looked at the release last; when, in milliseconds since 1970. */
export type Watch = z.output<typeof watchSchema>;

/** What the guard of a cluster says; times in milliseconds since 1970. */
export type GuardNote = z.output<typeof guardSchema>;

/** What is remembered of a rollout. */
export interface Remembered {
  readonly progress: Progress | undefined;
  readonly pause: Pause | undefined;
  readonly watch: Watch | undefined;
  /** The newest note of each cluster's guard. */
  readonly guards: readonly GuardNote[];
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
      this.#places().map(async ({ cluster, namespace }) => {
        try {
          const { data } = await cluster.core.readNamespacedConfigMap({ name: JOURNAL, namespace });
          return data ?? {};
        } catch (error) {
          if (!isNotFound(error)) silent.set(cluster.name, explain(error));
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
      guards: [...new Set(found.flatMap(Object.keys))]
        .filter((key) => key.startsWith(GUARD_KEY))
        .flatMap((key) => newest(found, key, guardSchema) ?? []),
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
      ...(progress && { progress: { at: now, progress } }),
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

  #places() {
    return this.#clusters.flatMap((cluster) =>
      this.#namespaces.map((namespace) => ({ cluster, namespace })),
    );
  }

  async #write(
    owner: "progress" | "pause" | "watch" | GuardKey,
    values: Readonly<Record<string, unknown>>,
  ): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>();
    await Promise.all(
      this.#places().map(async ({ cluster, namespace }) => {
        const object: KubernetesObject & { data: Record<string, string> } = {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: {
            name: JOURNAL,
            namespace,
            labels: { "app.kubernetes.io/part-of": "istio-canary" },
          },
          data: Object.fromEntries(
            Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]),
          ),
        };
        try {
          await cluster.objects.patch(
            object,
            undefined,
            undefined,
            `${JOURNAL}-${owner}`,
            true,
            PatchStrategy.ServerSideApply,
          );
        } catch (error) {
          failed.set(cluster.name, explain(error));
        }
      }),
    );
    return failed;
  }
}

/** The newest value of a key that any place has; what cannot be understood counts as none. */
function newest<T extends { readonly at: number }>(
  found: readonly Readonly<Record<string, string>>[],
  key: string,
  schema: z.ZodType<T>,
): T | undefined {
  return found
    .flatMap((data) => {
      const text = data[key];
      if (text === undefined) return [];
      const parsed = schema.safeParse(fromJson(text));
      return parsed.success ? [parsed.data] : [];
    })
    .toSorted((one, other) => other.at - one.at)[0];
}
