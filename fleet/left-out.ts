import type { V1Pod } from "@kubernetes/client-node";
import type { Exclusion, WhoCounts } from "../lib/who-counts.ts";
import { isSidecar } from "./proxy-pod.ts";

/** The proxies of a list, by whether they count. */
export interface Sorted {
  readonly counted: readonly V1Pod[];
  /** Sidecars on nodes that are lost. */
  readonly lost: readonly V1Pod[];
  /** Sidecars that the configuration excludes. */
  readonly excluded: readonly V1Pod[];
}

function matches({ metadata }: V1Pod, { namespace, labels = {} }: Exclusion): boolean {
  return (
    (namespace === undefined || metadata?.namespace === namespace) &&
    Object.entries(labels).every(([name, value]) => metadata?.labels?.[name] === value)
  );
}

/**
 * Whether the node of a pod tells nothing any more. Kubernetes then takes its Ready from the pod, and nothing else: a
 * kubelet itself takes it only from one whose containers are not ready, or that has a readiness gate which is not.
 */
export function isOnLostNode({ spec, status }: V1Pod): boolean {
  const is = (type: string) => status?.conditions?.find((each) => each.type === type)?.status;
  return (
    is("Ready") === "False" &&
    is("ContainersReady") === "True" &&
    (spec?.readinessGates ?? []).every(({ conditionType }) => is(conditionType) === "True")
  );
}

/** Sorts proxies by whether they count. Gateways always do. */
export function whoCounts(
  pods: readonly V1Pod[],
  { exclude, lost }: Pick<WhoCounts, "exclude" | "lost">,
): Sorted {
  const of = Map.groupBy(pods, (pod) => {
    if (!isSidecar(pod)) return "counted";
    if (exclude.some((each) => matches(pod, each))) return "excluded";
    return !lost && isOnLostNode(pod) ? "lost" : "counted";
  });
  return {
    counted: of.get("counted") ?? [],
    lost: of.get("lost") ?? [],
    excluded: of.get("excluded") ?? [],
  };
}
