import type { Limits } from "../fleet/checks/check.ts";
import { whoOf } from "./confirm-options.ts";
import type { ReleaseSettings } from "./config.ts";
import { durationMs } from "./schema.ts";

/** The limits of the checks and the confirmation, as the configuration sets them. */
export function limitsOf({ safety, closed }: ReleaseSettings): Limits {
  return {
    checkWithinMs: durationMs(safety.checkWithin),
    lookWithinMs: durationMs(safety.lookWithin),
    confirmWithinMs: durationMs(safety.confirmWithin),
    askEnvoys: safety.askEnvoys,
    who: whoOf(safety),
    certificateDays: safety.certificateDays,
    clockSkewMs: durationMs(safety.clockSkew),
    capacity: safety.capacity,
    ...(closed && closed.length > 0 && { closed }),
  };
}
