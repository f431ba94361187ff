import { podsFor } from "../../lib/capacity.ts";
import { weightIn } from "../../lib/release-rules.ts";
import type { FoundAutoscaler } from "../find-autoscaler.ts";
import type { CheckContext, Finding } from "./check.ts";

/** Pods that a canary must have, and why. */
export interface Least {
  readonly pods: number;
  /** As in " that 30 % of the requests need: stable has 50 for all of them, …". */
  readonly why: string;
}

/** Percent that canaries are about to get in the context's cluster: the followers of a chain get what its entries mark. */
export function nextWeight({ cluster, rises }: Pick<CheckContext, "cluster" | "rises">): number {
  return Math.max(0, ...rises.map((rise) => weightIn(rise, cluster.name)));
}

/**
 * Pods that a canary must have for its next weight.
 *
 * @param all pods that all requests need. @default nobody knows
 * @param capacity see Limits
 */
export function leastOf(all: number | undefined, weight: number, capacity: number): Least {
  return all === undefined || weight === 0
    ? { pods: 1, why: "" }
    : {
        pods: Math.max(1, podsFor(all, weight, capacity)),
        why: ` that ${weight} % of the requests need: stable has ${all} for all of them, and safety.capacity is ${capacity}`,
      };
}

/**
 * What speaks against more requests for a canary that has fewer pods than they take, and an autoscaler.
 *
 * @param seen the pods that it has
 * @param available how many of them can take requests
 * @param raise what to do about its maximum
 */
export function autoscaledFindings(
  { name, min, max }: FoundAutoscaler,
  {
    seen,
    available,
    least,
  }: { readonly seen: string; readonly available: number; readonly least: Least },
  namespace: string,
  raise: string,
): readonly Finding[] {
  if (max < least.pods) {
    return [
      {
        seen: `${seen}; HorizontalPodAutoscaler ${name} makes at most ${max}`,
        fix: raise,
        mayHeal: false,
      },
    ];
  }
  // One that adds pods under load alone must not wait for pods that only the load brings.
  return min < least.pods && available > 0
    ? []
    : [
        {
          seen: `${seen}; HorizontalPodAutoscaler ${name} keeps at least ${min}`,
          fix: `See kubectl -n ${namespace} describe horizontalpodautoscaler ${name}.`,
          mayHeal: true,
        },
      ];
}
