import * as z from "zod";
import { eventVerdict, timedEvent } from "../rollout-event.ts";

/** Milliseconds since 1970. */
const time = z.number();
const name = z.string();

/** What one version has had in one cluster: points of time and value, where there is one. */
const series = z.object({
  version: name,
  points: z.array(z.tuple([time, z.number()])).readonly(),
});
export type ReportSeries = z.output<typeof series>;

const many = z.array(series).readonly();
/** What one cluster's Prometheus says of one service; shares from 0 to 1, latencies in milliseconds. */
const measurement = z.object({
  cluster: name,
  service: name,
  /** Why there is nothing of it. @default it has answered */
  silent: z.string().optional(),
  /** Shares in what the cluster's clients have asked for. */
  share: many,
  /** The configured shares, at the times when they have changed. */
  weight: many,
  /**
   * Whether these are the API server's, or those of the events: where no Prometheus knows them, and of what
   * follows the mark of a chain and so has the share of its entries.
   */
  weightFrom: z.enum(["api-server", "events", "mark"]),
  errors: many,
  p50: many,
  p99: many,
});
export type Measurement = z.output<typeof measurement>;

const phase = z.object({
  weight: z.number(),
  from: time,
  /** @default it is in force */
  to: time.optional(),
});
export type ReportPhase = z.output<typeof phase>;

const arrival = z.object({ cluster: name, time });
/** When each cluster came to a weight. */
const skew = z.object({
  weight: z.number(),
  /** Clusters that were seen with it, in the order in which they were. */
  seen: z.array(arrival).readonly(),
  /** Clusters that were not. */
  unseen: z.array(name).readonly(),
  /** From the request to the end of the update in every cluster. @default the events do not tell */
  updateMs: z.number().optional(),
});
export type Skew = z.output<typeof skew>;

/** A stretch of time in which an alert has fired. */
const alert = z.object({
  cluster: name,
  alert: name,
  /** What it is about. @default the mesh */
  service: name.optional(),
  version: name.optional(),
  from: time,
  /** @default it fires at the end of the charts */
  to: time.optional(),
});
export type ReportAlert = z.output<typeof alert>;

/** Everything that a report shows. */
export const reportData = z.object({
  stack: name,
  /** The canaries with their images. */
  release: name,
  made: time,
  /** The stretch of time that the charts show. */
  from: time,
  to: time,
  /** Distance of two points of a chart, and of two readings of a weight. */
  stepMs: z.number(),
  weightStepMs: z.number(),
  clusters: z.array(name).readonly(),
  services: z
    .array(
      z.object({
        name,
        stable: name,
        canary: name,
        /** What it is in a chain. @default it is in none */
        role: z.enum(["entry", "follower"]).optional(),
      }),
    )
    .readonly(),
  /** How it ended. @default it goes on, or nothing is remembered of it */
  end: z.object({ result: name, reason: z.string() }).optional(),
  phases: z.array(phase).readonly(),
  events: z.array(timedEvent).readonly(),
  /** The last verdicts of each phase. */
  verdicts: z
    .array(z.object({ weight: z.number(), time, verdicts: z.array(eventVerdict).readonly() }))
    .readonly(),
  skew: z.array(skew).readonly(),
  measurements: z.array(measurement).readonly(),
  alerts: z.array(alert).readonly(),
  /** Clusters whose alerts are not known, for their Prometheus does not answer. */
  alertsUnknown: z.array(name).readonly(),
});
export type ReportData = z.output<typeof reportData>;
