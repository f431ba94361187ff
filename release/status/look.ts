import type { Judged } from "../../lib/judged.ts";
import { serviceKey } from "../../lib/names.ts";
import { judgedServices } from "../release-settings.ts";
import type { Remembered } from "../journal.ts";
import type { TimedEvent } from "../rollout-event.ts";
import { releaseStatus, type ReleaseStatus, type StatusSources } from "./release-status.ts";

/** A service with a canary. */
export interface ReleasedService extends Pick<Judged, "stable" | "canary" | "role"> {
  /** The service, as `namespace/service`. */
  readonly key: string;
}

/** How a release stands, and what has happened so far. */
export interface ReleaseLook {
  readonly status: ReleaseStatus;
  readonly services: readonly ReleasedService[];
  /** Of the last rollout, oldest first; none if the journal cannot be read, which the status says. */
  readonly events: readonly TimedEvent[];
}

/** Where a look is taken from. */
export interface LookSources extends StatusSources {
  readonly journal: { read(): Promise<Remembered> };
}

/**
 * Looks once at how a release stands, and at what has happened so far.
 *
 * @param now in milliseconds since 1970
 */
export async function releaseLook(sources: LookSources, now: number): Promise<ReleaseLook> {
  const remembered = sources.journal.read();
  const [status, events] = await Promise.all([
    releaseStatus({ ...sources, journal: { read: () => remembered } }, now),
    remembered.then(
      (read) => read.events,
      () => [],
    ),
  ]);
  return {
    status,
    services: judgedServices(sources.settings).map((judged) => ({
      key: serviceKey(judged),
      stable: judged.stable,
      canary: judged.canary,
      role: judged.role,
    })),
    events,
  };
}
