import type { ClusterClient } from "./cluster-client.ts";
import { allPages } from "./pages.ts";

/**
 * What others have in a namespace that the program has made for services: Deployments, Services, and pods of anything
 * else, as `Kind name`.
 *
 * @param services names of the program's services there
 */
export async function strangersIn(
  { apps, core }: ClusterClient,
  namespace: string,
  services: readonly string[],
): Promise<readonly string[]> {
  const [deployments, found, pods] = await Promise.all([
    allPages((page) => apps.listNamespacedDeployment({ namespace, ...page })),
    allPages((page) => core.listNamespacedService({ namespace, ...page })),
    allPages((page) => core.listNamespacedPod({ namespace, ...page })),
  ]);
  const isOwn = (labels: Readonly<Record<string, string>> = {}) =>
    services.includes(labels["app"] ?? "");
  const names = (kind: string, all: readonly { metadata?: { name?: string } }[]) =>
    all.map(({ metadata }) => `${kind} ${metadata?.name ?? ""}`);
  return [
    ...names(
      "Deployment",
      deployments.filter(({ metadata }) => !isOwn(metadata?.labels)),
    ),
    ...names(
      "Service",
      found.filter(({ metadata }) => !services.includes(metadata?.name ?? "")),
    ),
    // Those of Deployments are named already.
    ...names(
      "Pod",
      pods.filter(
        ({ metadata }) =>
          !isOwn(metadata?.labels) &&
          metadata?.ownerReferences?.every(({ kind }) => kind !== "ReplicaSet") !== false,
      ),
    ),
  ];
}
