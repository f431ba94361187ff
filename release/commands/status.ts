import { setTimeout as wait } from "node:timers/promises";
import { createLogUpdate } from "log-update";
import { ATTENTION } from "../exit-codes.ts";
import { onInterrupt } from "../on-interrupt.ts";
import { openRelease } from "../open.ts";
import { reason } from "../reason.ts";
import { badgeOf } from "../status/badge.ts";
import { headline } from "../status/headline.ts";
import { releaseLook, type ReleaseLook } from "../status/look.ts";
import { statusText } from "../status/status-text.ts";

export interface StatusOptions {
  readonly stack: string;
  /** For machines instead of people. */
  readonly json?: boolean;
  /** As the JSON of a badge. */
  readonly badge?: boolean;
  /** Again and again, until it is interrupted. */
  readonly watch?: boolean;
  /** Whether the exit code tells if something needs attention. @default it is 0 whatever was found */
  readonly exitCode?: boolean;
}

/** Pause between two looks, in milliseconds. */
const WATCH_MS = 5_000;

function shown(look: ReleaseLook, { json, badge }: StatusOptions): string {
  if (badge === true) return JSON.stringify(badgeOf(look));
  if (json === true) return JSON.stringify({ ...look.status, headline: headline(look) });
  return statusText(look.status);
}

/** Shows what every cluster serves, what the gates say, and how the rollout stands. */
export async function status(options: StatusOptions): Promise<void> {
  const { stack, watch, exitCode } = options;
  if (watch === true) {
    await follow(options);
    return;
  }
  const look = await releaseLook(await openRelease(stack), Date.now());
  console.log(shown(look, options));
  const { kind, attention } = headline(look);
  if (exitCode === true && (kind === "bad" || attention.length > 0)) process.exitCode = ATTENTION;
}

/** Shows it again and again: in a terminal in place of what was shown before, elsewhere below it. */
async function follow(options: StatusOptions): Promise<void> {
  const over = process.stdout.isTTY
    ? createLogUpdate(process.stdout, { showCursor: true })
    : undefined;
  const interrupted = new AbortController();
  onInterrupt(() => {
    interrupted.abort();
  });
  while (!interrupted.signal.aborted) {
    const text = await shownNow(options);
    if (over) over(text);
    else console.log(text);
    await wait(WATCH_MS, undefined, { signal: interrupted.signal }).catch(() => undefined);
  }
  over?.done();
}

/** What is shown of it now: its configuration may have changed, or the backend may be away for a while. */
async function shownNow(options: StatusOptions): Promise<string> {
  try {
    return shown(await releaseLook(await openRelease(options.stack), Date.now()), options);
  } catch (error) {
    return `It cannot be read now, and is tried again: ${reason(error)}`;
  }
}
