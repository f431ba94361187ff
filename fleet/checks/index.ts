import { apiServer } from "./api-server.ts";
import { canaryAvailable } from "./canary-available.ts";
import { certificates } from "./certificates.ts";
import type { Check, CheckContext } from "./check.ts";
import { clocks } from "./clocks.ts";
import { dryRun } from "./dry-run.ts";
import { existingVersions } from "./existing-versions.ts";
import { gateways } from "./gateways.ts";
import { istiod } from "./istiod.ts";
import { markPropagated } from "./mark-propagated.ts";
import { remoteClusters } from "./remote-clusters.ts";
import { subsets } from "./subsets.ts";
import { unchanged } from "./unchanged.ts";
import { explain, isFinal } from "../explain.ts";
import { within } from "../../lib/within.ts";

/** What every cluster must meet before a weight rises in any of them. */
const CHECKS: readonly Check[] = [
  apiServer,
  istiod,
  canaryAvailable,
  existingVersions,
  subsets,
  gateways,
  remoteClusters,
  certificates,
  clocks,
  unchanged,
  dryRun,
  markPropagated,
];

/** A check's objection to the change. */
export interface Objection {
  /** What was seen and what to do about it, in one line. */
  readonly line: string;
  /** Whether another look may find it gone. */
  readonly mayHeal: boolean;
}

/** One look of all checks at one cluster, at once; gives every objection to the change. */
export async function runChecks(
  context: CheckContext,
  checks: readonly Check[] = CHECKS,
): Promise<readonly Objection[]> {
  const objections = await Promise.all(
    checks.map(async ({ name, run }): Promise<readonly Objection[]> => {
      try {
        const withinMs = context.limits.lookWithinMs;
        const late = `did not finish within ${withinMs / 1000} s`;
        const findings = await within(withinMs, run(context), late);
        return findings.map(({ seen, fix, mayHeal }) => ({
          line: `${name}: no, ${seen}. ${fix}`,
          mayHeal,
        }));
      } catch (error) {
        const line = `${name}: could not be checked: ${explain(error)}.`;
        return [{ line, mayHeal: !isFinal(error) }];
      }
    }),
  );
  return objections.flat();
}
