import { openRelease } from "../open.ts";
import { releaseStatus } from "../status/release-status.ts";
import { statusText } from "../status/status-text.ts";

export interface StatusOptions {
  readonly stack: string;
  /** For machines instead of people. */
  readonly json?: boolean;
}

/** Shows what every cluster serves, what the gates say, and how the rollout stands. */
export async function status({ stack, json }: StatusOptions): Promise<void> {
  const found = await releaseStatus(await openRelease(stack), Date.now());
  console.log(json ? JSON.stringify(found) : statusText(found));
}
