import { z } from "zod";

/** What happens while a weight changes, in the order of a raise, as a person reads it. */
export const MARKS = {
  engine: "the engine begins",
  program: "the program begins",
  registers: "the first resource is registered",
  updates: "the first VirtualService begins to be updated",
  inForce: "in force in every Envoy",
  confirmed: "confirmed in every Envoy",
  updated: "the last VirtualService is updated",
  registered: "the last resource is registered",
  engineEnds: "the engine ends",
  ends: "the command ends",
} as const;

export type Mark = keyof typeof MARKS;

/** When things happened, in seconds since the command was started; what did not happen is left out. */
export type Marks = Readonly<Partial<Record<Mark, number>>>;

const step = z.looseObject({
  metadata: z.looseObject({ op: z.string(), type: z.string() }),
});

/** What is read of an event of Pulumi's engine. */
const engineEvent = z.looseObject({
  preludeEvent: z.unknown().optional(),
  resourcePreEvent: step.optional(),
  resOutputsEvent: step.optional(),
  diagnosticEvent: z.looseObject({ message: z.string() }).optional(),
  summaryEvent: z.unknown().optional(),
});

/** An event of the engine, and when it came. */
export interface UpdateEvent {
  /** Since the command was started. */
  readonly seconds: number;
  readonly event: unknown;
}

const STACK = "pulumi:pulumi:Stack";
const VIRTUAL_SERVICE = /^kubernetes:networking\.istio\.io\/[^:]+:VirtualService$/;
/** What the program says when it has seen the weight in every Envoy; see fleet/switched.ts. */
const CONFIRMED = /\d+ Envoys serve it, switched within /;

/**
 * When the steps of an update happened, as far as its events tell.
 *
 * @throws if one of them is not an event of the engine
 */
export function marksOf(events: readonly UpdateEvent[]): Marks {
  const read = events.map(({ seconds, event }) => ({ seconds, ...engineEvent.parse(event) }));
  type Read = (typeof read)[number];
  const first = (is: (event: Read) => boolean) => read.find(is)?.seconds;
  const last = (is: (event: Read) => boolean) => read.findLast(is)?.seconds;
  const begins = ({ resourcePreEvent }: Read) => resourcePreEvent?.metadata;
  const ended = ({ resOutputsEvent }: Read) => resOutputsEvent?.metadata;
  // References to other stacks, and the provider behind them, come before the clusters are read.
  const isOurs = (metadata: z.infer<typeof step>["metadata"] | undefined) =>
    metadata !== undefined && !metadata.type.startsWith("pulumi:");
  const isRoute = (metadata: z.infer<typeof step>["metadata"] | undefined) =>
    metadata?.op === "update" && VIRTUAL_SERVICE.test(metadata.type);
  const marks: Partial<Record<Mark, number | undefined>> = {
    engine: first(({ preludeEvent }) => preludeEvent !== undefined),
    program: first((event) => begins(event)?.type === STACK),
    registers: first((event) => isOurs(begins(event))),
    updates: first((event) => isRoute(begins(event))),
    confirmed: first(({ diagnosticEvent }) => CONFIRMED.test(diagnosticEvent?.message ?? "")),
    updated: last((event) => isRoute(ended(event))),
    registered: last((event) => isOurs(begins(event))),
    engineEnds: last(({ summaryEvent }) => summaryEvent !== undefined),
  };
  return Object.fromEntries(Object.entries(marks).filter(([, seconds]) => seconds !== undefined));
}
