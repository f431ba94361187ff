import { once } from "node:events";
import { stat } from "node:fs/promises";
import { collectReport } from "../report/collect.ts";
import { reportData } from "../report/report-data.ts";
import { Feed } from "../dashboard/feed.ts";
import { CHART_PARTS, chartParts, LOOK_PARTS, lookParts } from "../dashboard/parts.ts";
import { serveDashboard } from "../dashboard/server.ts";
import { onInterrupt } from "../on-interrupt.ts";
import { openRelease, type OpenRelease } from "../open.ts";
import { releaseLook } from "../status/look.ts";
import { reportSubject } from "./report.ts";

export interface DashboardOptions {
  readonly stack: readonly string[];
  /** Port on 127.0.0.1. @default a free one */
  readonly port?: number;
}

/** Pause between two looks at the clusters, and between two readings of what was measured over time, in milliseconds. */
const LOOK_MS = 5_000;
const CHARTS_MS = 20_000;

/** A release as its configuration file has it now: somebody may change it while the page is open. */
class Current {
  #release: OpenRelease;
  #changed: number;

  private constructor(release: OpenRelease, changed: number) {
    this.#release = release;
    this.#changed = changed;
  }

  /** @throws as openRelease */
  static async open(stack: string): Promise<Current> {
    const release = await openRelease(stack);
    return new Current(release, await changedAt(release));
  }

  /** @throws as openRelease */
  async read(): Promise<OpenRelease> {
    const changed = await changedAt(this.#release);
    if (changed !== this.#changed) {
      this.#release = await openRelease(this.#release.stack.name);
      this.#changed = changed;
    }
    return this.#release;
  }
}

async function changedAt({ stack }: OpenRelease): Promise<number> {
  return (await stat(stack.configFile)).mtimeMs;
}

async function feedOf(stack: string): Promise<Feed> {
  const current = await Current.open(stack);
  return new Feed([
    {
      makes: LOOK_PARTS,
      everyMs: LOOK_MS,
      make: async () => lookParts(await releaseLook(await current.read(), Date.now())),
    },
    {
      makes: CHART_PARTS,
      everyMs: CHARTS_MS,
      make: async () => {
        const now = Date.now();
        const subject = await reportSubject(await current.read(), now);
        return chartParts(reportData.parse(await collectReport(subject, now)));
      },
    },
  ]);
}

/**
 * Shows releases in the browser, live, until the command is interrupted. It changes nothing.
 *
 * @throws if a stack cannot be opened, or the port is taken
 */
export async function dashboard({ stack: stacks, port }: DashboardOptions): Promise<void> {
  const feeds = await Promise.all(
    stacks.map(async (stack) => [stack, await feedOf(stack)] as const),
  );
  const interrupted = new AbortController();
  onInterrupt(() => {
    interrupted.abort();
  });
  const { url, close } = await serveDashboard(new Map(feeds), port);
  console.log(url);
  console.error("Open it in a browser on this machine. Ctrl-C ends it.");
  if (!interrupted.signal.aborted) await once(interrupted.signal, "abort");
  await close();
}
