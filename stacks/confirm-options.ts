import type { ConfirmOptions } from "../fleet/confirm-every.ts";
import { durationMs } from "../lib/duration.ts";
import { allOfThem, percentOf, type WhoCounts } from "../lib/who-counts.ts";
import type { Safety } from "./schema/safety.ts";

/** Whose confirmation a weight needs, as the configuration says. */
export function whoOf({ confirm, exclude }: Safety): WhoCounts {
  // The schema lets no other text pass.
  return { percent: percentOf(confirm) ?? 100, exclude, lost: false };
}

/** How long a confirmation waits, and whom it asks, as the configuration says. */
export function confirmOptions(safety: Safety): ConfirmOptions {
  const { confirmWithin, askEnvoys } = safety;
  return { timeoutMs: durationMs(confirmWithin), askEnvoys, who: whoOf(safety) };
}

/** The same for a change by which requests fail, or lose their mark, where it has not arrived. */
export function strictOptions(safety: Safety): ConfirmOptions {
  return { ...confirmOptions(safety), who: allOfThem(whoOf(safety)) };
}
