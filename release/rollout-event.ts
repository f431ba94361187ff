import * as z from "zod";

const decision = z.enum(["pass", "fail", "hold"]);
const outcome = z.enum([...decision.options, "idle"]);

const judgement = z.object({
  outcome: decision,
  value: z.number().optional(),
  low: z.number(),
  high: z.number(),
  limit: z.number(),
  tolerance: z.number().optional(),
  samples: z.number(),
  missing: z.string().optional(),
});

/** What a gate or a webhook has said; the fields after `text` are a gate's alone. */
export const eventVerdict = z.object({
  outcome,
  blind: z.boolean(),
  dryRun: z.boolean().optional(),
  text: z.string(),
  cluster: z.string().optional(),
  service: z.string().optional(),
  gate: z.string().optional(),
  judgement: judgement.optional(),
});
/** What a gate or a webhook has said, as an event holds it. */
export type EventVerdict = z.output<typeof eventVerdict>;

const result = z.enum(["done", "rolled-back", "stopped", "rollback-incomplete", "interrupted"]);
/** How the command ended: as the rollout did, with clusters that keep a weight, or by a signal. */
export type Result = z.output<typeof result>;

/** What a rollout waits for that does not come by itself, or shows that something is broken. */
const forPeople = z.enum(["approval", "paused", "confirm", "before", "unreachable", "no-data"]);

/** Whether people are told that a rollout waits for it. */
export function isForPeople(waiting: string): waiting is z.output<typeof forPeople> {
  return forPeople.safeParse(waiting).success;
}

const reason = z.string();
const weight = z.number();

const rolloutEvent = z.discriminatedUnion("event", [
  z.object({
    event: z.literal("begin"),
    release: z.string(),
    weight,
    /** Whether it goes on with a rollout of this release that was begun before. */
    resumed: z.boolean(),
  }),
  z.object({
    event: z.literal("look"),
    weight,
    step: z.enum(["ask", "wait", "raise", "roll-back", "end"]),
    /** What is waited for, or why the step is taken. */
    reason,
    /** Since when the phase is in force. */
    since: z.iso.datetime(),
    verdicts: z.array(eventVerdict).readonly(),
  }),
  /** A wait that people may have to act on has begun. */
  z.object({ event: z.literal("waits"), weight, for: forPeople, reason }),
  z.object({ event: z.literal("raise"), weight }),
  z.object({ event: z.literal("raised"), weight }),
  z.object({ event: z.literal("raise-failed"), weight, reason }),
  /** The same is tried again after the next look. */
  z.object({ event: z.literal("raise-waits"), weight, reason }),
  z.object({ event: z.literal("roll-back"), reason }),
  z.object({
    event: z.literal("lowered"),
    /** What was read back from each cluster's API server and Envoys. */
    clusters: z
      .array(
        z.object({
          name: z.string(),
          canaries: z
            .array(
              z.object({
                key: z.string(),
                canary: z.string(),
                before: weight,
                weight: weight.optional(),
                envoys: z.number(),
              }),
            )
            .readonly(),
        }),
      )
      .readonly(),
  }),
  z.object({ event: z.literal("locked"), reason }),
  z.object({ event: z.literal("not-followed"), reason }),
  z.object({ event: z.literal("rolled-back") }),
  z.object({ event: z.literal("rollback-incomplete"), reason }),
  z.object({ event: z.literal("not-remembered"), cluster: z.string(), reason }),
  z.object({ event: z.literal("interrupted"), weight }),
  z.object({ event: z.literal("end"), result, reason }),
]);
/** One thing that has happened in a rollout, as a line for machines. */
export type RolloutEvent = Readonly<z.output<typeof rolloutEvent>>;

/** An event with the time when it happened. */
export const timedEvent = z.intersection(z.object({ time: z.iso.datetime() }), rolloutEvent);
export type TimedEvent = Readonly<z.output<typeof timedEvent>>;

/** An event that happens now. */
export function timed(event: RolloutEvent, now: number): TimedEvent {
  return { time: new Date(now).toISOString(), ...event };
}
