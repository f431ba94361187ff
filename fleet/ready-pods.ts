import type { V1Deployment } from "@kubernetes/client-node";
import { podsOf, type ExistingService } from "../lib/existing.ts";
import type { ServiceName } from "../lib/names.ts";
import { workloadName } from "../lib/version-name.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";
import { findWorkload } from "./find-workload.ts";

/** Pods of one version in one cluster. */
export interface PodCount {
  /** That it is to have. */
  readonly pods: number;
  /** Those that can take requests. */
  readonly ready: number;
}

/**
 * Counts the pods of a version of a service.
 *
 * @param existing if others have made the pods
 * @throws if the API server does not answer, or refuses to
 */
export async function readyPods(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
  version: string,
  existing: ExistingService | undefined,
): Promise<PodCount> {
  if (existing) {
    const found = await findWorkload(cluster, existing);
    // Without a canary, pods need no label that tells their version.
    const pods = existing.canary === undefined ? found.pods : podsOf(existing, found, version);
    return { pods: pods.length, ready: pods.filter(({ isReady }) => isReady).length };
  }
  let deployment: V1Deployment;
  try {
    const name = workloadName(service, version);
    deployment = await cluster.apps.readNamespacedDeployment({ name, namespace });
  } catch (error) {
    if (isNotFound(error)) return { pods: 0, ready: 0 };
    throw error;
  }
  const { spec, status } = deployment;
  return { pods: spec?.replicas ?? 1, ready: status?.availableReplicas ?? 0 };
}
