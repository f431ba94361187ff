import type { ConfirmOptions } from "../fleet/confirm-every.ts";
import { durationMs } from "../lib/duration.ts";
import type { Safety } from "./schema/safety.ts";

/** How long a confirmation waits, and whom it asks, as the configuration says. */
export function confirmOptions({ confirmWithin, askEnvoys }: Safety): ConfirmOptions {
  return { timeoutMs: durationMs(confirmWithin), askEnvoys };
}
