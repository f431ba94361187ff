import type { Limits } from "../../fleet/checks/check.ts";
import { everyone } from "../../lib/who-counts.ts";

/** The limits of checks in tests. */
export const checkLimits: Limits = {
  checkWithinMs: 1000,
  lookWithinMs: 45_000,
  confirmWithinMs: 1000,
  askEnvoys: 100,
  who: everyone,
  certificateDays: 7,
  clockSkewMs: 5000,
  capacity: 0.5,
};
