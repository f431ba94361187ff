import { PatchStrategy, type KubernetesObject, type V1ObjectMeta } from "@kubernetes/client-node";
import { REMOTE_SECRET_LABEL, remoteSecretName, SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { allPages } from "./pages.ts";
import { explain } from "./explain.ts";

/** Who takes remote secrets out of use: Pulumi leaves those of a cluster that is away as they are. */
const MANAGER = "istio-canary-drain";

/** The label that says that a remote secret was taken out of use, and why it still is. */
export const DRAIN_MARK = "istio-canary/drained";

/** The annotation by which istiod knows which cluster a remote secret is about. */
const SOURCE = "networking.istio.io/cluster";

/** `away`: nothing is known of the cluster. `equal`: an update has made it equal to the others, and registered the Secret. */
export type DrainMark = "away" | "equal";

/** Metadata of remote secrets: their content has keys. */
async function secretsIn(
  { name: cluster, secretsMetadata }: ClusterClient,
  selector: { readonly labelSelector?: string; readonly fieldSelector?: string },
): Promise<readonly V1ObjectMeta[]> {
  try {
    const secrets = await allPages(async (page) =>
      secretsMetadata.listNamespacedSecret({ namespace: SYSTEM_NAMESPACE, ...selector, ...page }),
    );
    return secrets.map(({ metadata }) => metadata ?? {});
  } catch (error) {
    throw new Error(
      `${cluster}: whether its istiod is to read every other cluster is not known, since remote secrets cannot be listed: ${explain(error)}`,
      { cause: error },
    );
  }
}

/** What the remote secrets in a cluster are marked with, by the cluster that each is about. */
export async function drainMarks(cluster: ClusterClient): Promise<ReadonlyMap<string, DrainMark>> {
  const found = await secretsIn(cluster, { labelSelector: DRAIN_MARK });
  return new Map(
    found.flatMap(({ annotations, labels }) => {
      const source = annotations?.[SOURCE];
      return source === undefined
        ? []
        : [[source, labels?.[DRAIN_MARK] === "equal" ? "equal" : "away"] as const];
    }),
  );
}

/**
 * Marks the Secret by which an istiod reads a cluster; does nothing if there is none. With `away`, istiod uses it no more:
 * the label is taken from Pulumi, which then does not write it. With `equal`, and without a mark, what Pulumi has written
 * since stays.
 *
 * @param mark undefined takes the mark away
 */
export async function markDrained(
  cluster: ClusterClient,
  source: string,
  mark: DrainMark | undefined,
): Promise<void> {
  const name = remoteSecretName(source);
  const all = await secretsIn(cluster, { fieldSelector: `metadata.name=${name}` });
  const found = all.find((each) => each.name === name);
  if (found?.uid === undefined) return;
  const labels: Record<string, string> = {
    ...(mark !== undefined && { [DRAIN_MARK]: mark }),
    ...(mark === "away" && { [REMOTE_SECRET_LABEL]: "false" }),
  };
  const object: KubernetesObject = {
    apiVersion: "v1",
    kind: "Secret",
    // By the UID, one that is gone meanwhile is not made anew.
    metadata: { name, namespace: SYSTEM_NAMESPACE, uid: found.uid, labels },
  };
  try {
    await cluster.objects.patch(
      ...([object, undefined, undefined, MANAGER, true, PatchStrategy.ServerSideApply] as const),
    );
  } catch (error) {
    throw new Error(
      `${cluster.name}: Secret ${SYSTEM_NAMESPACE}/${name}, by which its istiod reads ${source}, cannot be marked as ${mark === undefined ? "in use" : "out of use"}: ${explain(error)}`,
      { cause: error },
    );
  }
}
