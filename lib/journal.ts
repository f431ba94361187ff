import * as z from "zod";
import { fromJson } from "./from-json.ts";

/**
 * Name of the ConfigMap in each namespace of a service in which updates, a rollout and the guards remember. Each of them
 * owns keys of its own.
 */
export const JOURNAL = "istio-canary-rollout";

/**
 * Of what updates, rollouts and guards write here, and of the file that guards go by. A program that finds a newer one here
 * may lower weights, and raises none.
 */
export const JOURNAL_FORMAT = 1;

/** How the keys of guards begin in it. */
export const GUARD_KEY = "guard-";
export type GuardKey = `${typeof GUARD_KEY}${string}`;

/** The key of a cluster's guard. */
export function guardKey(cluster: string): GuardKey {
  return `${GUARD_KEY}${cluster}`;
}

/** The key under which a stack's updates keep what they have configured. */
export function configuredKey(stack: string): string {
  return `configured-${stack}`;
}

/** The key under which a stack's updates keep which of its canaries were taken back. */
export function failedKey(stack: string): string {
  return `failed-${stack}`;
}

/** The key under which an update tells what it tries again. */
export const RETRY_KEY = "retry";

/** How the keys of services begin that `release zero` has taken back. */
const ZERO_KEY = "zero-";

/** The key under which `release zero` notes that it has taken the canary of a service back. */
export function zeroKey(service: string): string {
  return `${ZERO_KEY}${service}`;
}

/** The values of a journal by their keys, as they are written. */
export type Notes = Readonly<Record<string, string>>;

/** Looks that have failed in a phase. */
const failures = z.object({ consecutive: z.number(), total: z.number() });

export const progressSchema = z.object({
  /** @default 1 */
  format: z.number().optional(),
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
    failedServices: z.array(z.string()).readonly().optional(),
    end: z
      .object({ result: z.enum(["done", "rolled-back", "stopped"]), reason: z.string() })
      .optional(),
  }),
});

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
  /** Why and when a gate has failed, and the phase in which it has. */
  failed: z
    .object({
      reason: z.string(),
      weight: z.number(),
      since: z.number(),
      at: z.number(),
      /** The services whose canary it is about, as `namespace/service`. @default all */
      services: z.array(z.string()).readonly().optional(),
    })
    .optional(),
  contactAt: z.number(),
  /** What it does, and why. */
  does: z.enum(["watch", "hold", "lower"]),
  says: z.string(),
});

/** What the guard of a cluster says; times in milliseconds since 1970. */
export type GuardNote = z.output<typeof guardSchema>;

const configuredSchema = z.object({
  format: z.number(),
  at: z.number(),
  /** Percent for the canaries in the cluster: 0 in quarantine. */
  weight: z.number(),
  /** Version and image by `namespace/service`. */
  canaries: z.record(z.string(), z.string()),
  /** Whether it, or one before it, has used up `retry-canary`, and that is still allowed. @default no */
  retries: z.boolean().optional(),
  /** Services whose pods and namespaces the stack makes, as `namespace/service`. @default not noted */
  made: z.array(z.string()).readonly().optional(),
});

/** What an update has configured in one cluster. */
export type Configured = Pick<z.output<typeof configuredSchema>, "weight" | "canaries">;

const failedSchema = z.object({
  format: z.number(),
  at: z.number(),
  /** Why each of them was taken back, by its name in the release's. */
  canaries: z.record(z.string(), z.string()),
});

const retrySchema = z.object({
  format: z.number(),
  at: z.number(),
  /** What guards have said that counts no more; see failureId. */
  forgives: z.array(z.string()),
});

const zeroSchema = z.object({
  format: z.number(),
  at: z.number(),
  /** The service, as `namespace/service`, and the version that was its canary. */
  key: z.string(),
  canary: z.string(),
});

/** What `release zero` has done to one canary of a cluster. */
export type Zeroed = Pick<z.output<typeof zeroSchema>, "key" | "canary">;

/** Names what has failed once in the eyes of one guard. */
export function failureId({ cluster, failed }: Pick<GuardNote, "cluster" | "failed">): string {
  return `${cluster} ${failed?.at ?? 0}`;
}

/** The newest value of a key that any journal has; what cannot be understood counts as none. */
export function newest<T extends { readonly at: number }>(
  found: readonly Notes[],
  key: string,
  schema: z.ZodType<T>,
): T | undefined {
  return found
    .flatMap((notes) => {
      const text = notes[key];
      if (text === undefined) return [];
      const parsed = schema.safeParse(fromJson(text));
      return parsed.success ? [parsed.data] : [];
    })
    .toSorted((one, other) => other.at - one.at)[0];
}

/** The newest note of each cluster's guard. */
export function guardsIn(found: readonly Notes[]): readonly GuardNote[] {
  return [...new Set(found.flatMap(Object.keys))]
    .filter((key) => key.startsWith(GUARD_KEY))
    .flatMap((key) => newest(found, key, guardSchema) ?? []);
}

/** What guards have said that counts no more, since an update tries the canary again; by failureId. */
export function forgivenIn(found: readonly Notes[]): readonly string[] {
  return newest(found, RETRY_KEY, retrySchema)?.forgives ?? [];
}

/** What the last complete update of a stack has configured. @returns undefined if there was none */
export function configuredIn(found: readonly Notes[], stack: string): Configured | undefined {
  const note = newest(found, configuredKey(stack), configuredSchema);
  return note && { weight: note.weight, canaries: note.canaries };
}

/**
 * Other stacks whose last complete update has configured a service with a canary, unless this stack's has too.
 *
 * @param key the service, as `namespace/name`
 */
export function otherStacksOf(
  found: readonly Notes[],
  stack: string,
  key: string,
): readonly string[] {
  const prefix = configuredKey("");
  const stacks = [...new Set(found.flatMap(Object.keys))].flatMap((name) =>
    name.startsWith(prefix) ? [name.slice(prefix.length)] : [],
  );
  const having = stacks.filter((each) => configuredIn(found, each)?.canaries[key] !== undefined);
  return having.includes(stack) ? [] : having.toSorted();
}

/** The services that the last complete update of a stack has made, as `namespace/service`. */
export function madeIn(found: readonly Notes[], stack: string): readonly string[] {
  return newest(found, configuredKey(stack), configuredSchema)?.made ?? [];
}

/** Whether `retry-canary` is used up by a stack's updates. */
export function retriesIn(found: readonly Notes[], stack: string): boolean {
  return newest(found, configuredKey(stack), configuredSchema)?.retries ?? false;
}

/** The note of a stack's last complete update in one journal as it is once `retry-canary` is good for another try. @returns undefined if it is */
export function withoutRetries(notes: Notes, stack: string): object | undefined {
  const note = newest([notes], configuredKey(stack), configuredSchema);
  return note?.retries ? { ...note, retries: undefined } : undefined;
}

/** Which canaries a stack's updates have found to be taken back, and why, by their names in the release's. */
export function failedIn(found: readonly Notes[], stack: string): Readonly<Record<string, string>> {
  return newest(found, failedKey(stack), failedSchema)?.canaries ?? {};
}

/** Whether `release zero` has taken a canary back since a stack's last complete update. */
export function isZeroedSince(
  found: readonly Notes[],
  stack: string,
  { key, canary }: Zeroed,
): boolean {
  const update = newest(found, configuredKey(stack), configuredSchema);
  return found
    .flatMap((notes) => Object.entries(notes))
    .some(([name, text]) => {
      if (!name.startsWith(ZERO_KEY)) return false;
      const { data } = zeroSchema.safeParse(fromJson(text));
      return (
        data?.key === key && data.canary === canary && update !== undefined && data.at > update.at
      );
    });
}

const formatted = z.looseObject({ format: z.number() });

/** Keys whose values are of a format that this program does not know. */
export function newerKeys(found: readonly Notes[]): readonly string[] {
  const keys = found.flatMap((notes) =>
    Object.entries(notes).flatMap(([key, text]) => {
      const { data } = formatted.safeParse(fromJson(text));
      return data !== undefined && data.format > JOURNAL_FORMAT ? [key] : [];
    }),
  );
  return [...new Set(keys)].sort();
}
