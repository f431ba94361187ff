/** Name of the ConfigMap in each namespace of a service in which a rollout and the guards remember. */
export const JOURNAL = "istio-canary-rollout";

/** How the keys of guards begin in it. */
export const GUARD_KEY = "guard-";
export type GuardKey = `${typeof GUARD_KEY}${string}`;

/** The key of a cluster's guard. */
export function guardKey(cluster: string): GuardKey {
  return `${GUARD_KEY}${cluster}`;
}
