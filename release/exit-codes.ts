import type { Result } from "./rollout-event.ts";

/** Exit codes of `release rollout`; 1 is an error before or beside the rollout. */
export const EXIT_CODES: Readonly<Record<Result, number>> = {
  done: 0,
  "rolled-back": 2,
  "rollback-incomplete": 3,
  stopped: 4,
  interrupted: 130,
};
