import * as z from "zod";
import { JOURNAL_FORMAT } from "../lib/journal.ts";
import type { Judged } from "../lib/judged.ts";
import type { ReleaseSettings } from "./config.ts";
import { judgedServices, releaseName } from "./judged.ts";
import { presentClusters } from "./present-clusters.ts";
import { gates } from "./schema/gates.ts";
import { at, notification } from "./schema/rollout.ts";

/** The file's name, and the key of the ConfigMap that holds it. */
export const GUARD_FILE = "guard.json";

/** The file with those whom a guard notifies, which is in a Secret, and its key there. */
export const NOTIFICATIONS_FILE = "notifications.json";

const failures = z.object({ consecutive: z.number(), total: z.number() });
const judged = z.object({
  service: z.string(),
  namespace: z.string(),
  host: z.string(),
  otherHosts: z.array(z.string()).optional(),
  stable: z.string(),
  canary: z.string(),
  role: z.enum(["entry", "follower"]).optional(),
}) satisfies z.ZodType<Judged>;

const schema = z.object({
  /** A guard takes what it knows of any format: it only ever lowers. */
  format: z.number(),
  /** The ConfigMap that the file comes from. */
  configMap: z.object({ namespace: z.string(), name: z.string() }),
  stack: z.string(),
  /** The canaries; see releaseName. */
  release: z.string(),
  /** The guard's own cluster. */
  cluster: z.string(),
  /** Names of all clusters, its own among them. */
  clusters: z.array(z.string()),
  /** URL of the Prometheus with its own cluster's metrics. */
  prometheus: z.string(),
  /** Those that have a canary. */
  services: z.array(judged),
  phases: z.array(z.number()),
  quarantine: z.array(z.string()),
  rollout: z.object({
    bake: z.string(),
    trial: z.string().optional(),
    settle: z.string(),
    interval: z.string(),
    maxFailures: failures,
    gates,
    at,
  }),
  /** A duration, or never. */
  partitionLimit: z.string(),
});

/** All that a guard goes by: what an update writes into a cluster's ConfigMap. Nothing of it is secret. */
export type GuardFile = z.output<typeof schema>;

/** @throws if it is no such file */
export function parseGuardFile(text: string): GuardFile {
  return schema.parse(JSON.parse(text));
}

/** The file of one cluster's guard. The weight is not in it: it changes nothing here. */
export function guardFileText(
  settings: ReleaseSettings,
  {
    prometheus,
    partitionLimit,
    ...about
  }: Pick<GuardFile, "stack" | "cluster" | "configMap" | "prometheus" | "partitionLimit">,
): string {
  const { bake, trial, settle, interval, maxFailures, gates, at } = settings.rollout;
  const file: GuardFile = {
    format: JOURNAL_FORMAT,
    ...about,
    release: releaseName(settings),
    clusters: presentClusters(settings).map(({ name }) => name),
    prometheus,
    services: judgedServices(settings).map((each) => ({
      ...each,
      otherHosts: [...(each.otherHosts ?? [])],
    })),
    phases: [...settings.phases],
    // A cluster that is away has a weight of its own, too.
    quarantine: [...settings.quarantine, ...settings.away],
    rollout: {
      bake,
      ...(trial !== undefined && { trial }),
      settle,
      interval,
      maxFailures,
      // Their URLs may be secret, and need not be reachable from a pod: only a rollout asks them.
      gates: { ...gates, web: [] },
      at,
    },
    partitionLimit,
  };
  return JSON.stringify(file, null, 2);
}

const notifications = z.array(notification);

/** @throws if these are no notifications */
export function parseNotifications(text: string): z.output<typeof notifications> {
  return notifications.parse(JSON.parse(text));
}
