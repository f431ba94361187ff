import { apiServer } from "./api-server.ts";
import { canaryAvailable } from "./canary-available.ts";
import { certificates } from "./certificates.ts";
import type { Check, CheckContext } from "./check.ts";
import { clocks } from "./clocks.ts";
import { dryRun } from "./dry-run.ts";
import { gateways } from "./gateways.ts";
import { istiod } from "./istiod.ts";
import { markHandedOn } from "./mark-handed-on.ts";
import { remoteClusters } from "./remote-clusters.ts";
import { subsets } from "./subsets.ts";
import { unchanged } from "./unchanged.ts";
import { explain } from "../explain.ts";

/** What every cluster must meet before a weight rises in any of them. */
const CHECKS: readonly Check[] = [
  apiServer,
  istiod,
  canaryAvailable,
  subsets,
  gateways,
  remoteClusters,
  certificates,
  clocks,
  unchanged,
  dryRun,
  markHandedOn,
];

/** Longest time that a check may take, in milliseconds. */
const CHECK_WITHIN_MS = 20_000;

/** Does all checks in one cluster at once; gives one line for everything that speaks against the change. */
export async function runChecks(
  context: CheckContext,
  checks: readonly Check[] = CHECKS,
  withinMs: number = CHECK_WITHIN_MS,
): Promise<readonly string[]> {
  const lines = await Promise.all(
    checks.map(async ({ name, run }) => {
      const timeout = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        timeout.reject(new Error(`not done within ${withinMs / 1000} s`));
      }, withinMs);
      try {
        const findings = await Promise.race([run(context), timeout.promise]);
        return findings.map(({ seen, fix }) => `${name}: no, ${seen}. ${fix}`);
      } catch (error) {
        return [`${name}: could not be checked: ${explain(error)}.`];
      } finally {
        clearTimeout(timer);
      }
    }),
  );
  return lines.flat();
}
