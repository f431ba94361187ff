import { ClusterClient } from "../fleet/cluster-client.ts";
import { readDeployed } from "../fleet/read-deployed.ts";
import type { DeployedCluster } from "../lib/deployed.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { presentClusters } from "../stacks/present-clusters.ts";

/** Longest wait for one answer of an API server, in milliseconds: one that is down delays a rollback. */
const ANSWER_WITHIN_MS = 5_000;

/** The clusters of a stack that are not away. */
export function clustersOf(settings: ReleaseSettings): readonly ClusterClient[] {
  return presentClusters(settings).map(
    ({ name, context, kubeconfig }) =>
      new ClusterClient({ name, context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS }),
  );
}

/** What they serve of the stack's services. */
export async function deployedIn(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<readonly DeployedCluster[]> {
  return readDeployed(
    clusters,
    settings.services.map(({ name, namespace, stable, canary }) => ({
      ...{ service: name, namespace },
      ...{ stable: stable.version, canary: canary?.version },
    })),
  );
}
