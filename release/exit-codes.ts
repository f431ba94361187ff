import type { Result } from "./rollout-event.ts";

/** What was to be done is not known to be in force in every cluster: the exit code is that of rollback-incomplete. */
export class NotConfirmed extends Error {}

/** Exit codes of `release rollout`; 1 is an error before or beside the rollout. */
export const EXIT_CODES: Readonly<Record<Result, number>> = {
  done: 0,
  "rolled-back": 2,
  "rollback-incomplete": 3,
  stopped: 4,
  interrupted: 130,
};

/** Exit code of `release status --exit-code` where something needs attention. */
export const ATTENTION = 5;
