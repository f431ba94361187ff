import { writeFile } from "node:fs/promises";
import { serviceKey } from "../../lib/names.ts";
import { readEvents } from "../events.ts";
import { openRelease, type OpenRelease } from "../open.ts";
import { judgedServices, releaseName } from "../release-settings.ts";
import { collectReport, type ReportSubject } from "../report/collect.ts";
import { reportPage } from "../report/page.ts";
import { reportData } from "../report/report-data.ts";
import { timed, type TimedEvent } from "../rollout-event.ts";

export interface ReportOptions {
  readonly stack: string;
  /** A file that `release rollout --events` has written. @default what the clusters remember */
  readonly events?: string;
  /** The file to be written. @default release-report.html */
  readonly out?: string;
}

/**
 * Writes the report of a stack's last rollout as one HTML page. A cluster that does not answer is named in it.
 *
 * @returns the file that was written
 */
export async function writeReport({
  stack: name,
  events: file,
  out = "release-report.html",
}: ReportOptions): Promise<string> {
  const events = file === undefined ? undefined : readEvents(file);
  const release = await openRelease(name);
  const now = Date.now();
  const data = await collectReport(await reportSubject(release, now, events), now);
  await writeFile(out, reportPage(reportData.parse(data)), { mode: 0o600 });
  return out;
}

/**
 * What a report of a release is about.
 *
 * @param now in milliseconds since 1970
 * @param events of a rollout. @default what the clusters remember
 */
export async function reportSubject(
  release: OpenRelease,
  now: number,
  events?: readonly TimedEvent[],
): Promise<ReportSubject> {
  const { stack, settings, clusters, metrics } = release;
  return {
    stack: stack.name,
    release: releaseName(settings),
    clusters: clusters.map(({ name }) => name),
    services: judgedServices(settings).map((judged) => ({
      name: serviceKey(judged),
      stable: judged.stable,
      canary: judged.canary,
      role: judged.role,
    })),
    metrics,
    events: events ?? (await remembered(release, now)),
  };
}

/** What the clusters remember, and, while the rollout goes on, what its gates say now. */
async function remembered(
  { journal, settings, metrics, observer }: OpenRelease,
  now: number,
): Promise<readonly TimedEvent[]> {
  const { events, progress } = await journal.read();
  if (progress?.release !== releaseName(settings) || progress.end || metrics.size === 0) {
    return events;
  }
  const { weight, since } = progress;
  const verdicts = await observer.verdicts(weight, since, now);
  const look = {
    event: "look",
    weight,
    step: "wait",
    reason: "",
    since: new Date(since).toISOString(),
    verdicts,
  } as const;
  return [...events, timed(look, now)];
}
