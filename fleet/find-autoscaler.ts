import type { ClusterClient } from "./cluster-client.ts";
import { isFinal } from "./explain.ts";

/** Between how many pods an autoscaler keeps a Deployment, or another object. */
export interface FoundAutoscaler {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/**
 * The HorizontalPodAutoscaler of an object, whoever has made it; KEDA makes one too.
 *
 * @param kinds those that the object may be of. @default a Deployment
 * @returns undefined if there is none, or the API server does not let it be seen
 * @throws if the API server does not answer
 */
export async function findAutoscaler(
  cluster: ClusterClient,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  kinds: readonly string[] = ["Deployment"],
): Promise<FoundAutoscaler | undefined> {
  try {
    const { items } = await cluster.autoscaling.listNamespacedHorizontalPodAutoscaler({
      namespace,
    });
    return items
      .filter(({ spec: { scaleTargetRef: target } }) => {
        return kinds.includes(target.kind) && target.name === name;
      })
      .map(({ metadata, spec }) => ({
        name: metadata?.name ?? "",
        min: spec.minReplicas ?? 1,
        max: spec.maxReplicas,
      }))[0];
  } catch (error) {
    if (isFinal(error)) return undefined;
    throw error;
  }
}
