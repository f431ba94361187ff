/**
 * The error of every resource that waits for what has failed at another one, which says why. Collecting
 * an update's errors leaves it out.
 */
export const SAID_ELSEWHERE = "skipped: see the error that is reported once for all clusters.";
