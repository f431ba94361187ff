import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { istiodPods } from "../../fleet/istiod-pods.ts";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import { signalInPod } from "./component.ts";
import { isE2e } from "./target.ts";

const NAME = "istiod";

/** Sets the pods of istiod. None switches its autoscaler off, too, until there are some again. */
async function scale(cluster: ClusterClient, replicas: number): Promise<number> {
  const name = { name: NAME, namespace: SYSTEM_NAMESPACE };
  const read = await cluster.apps.readNamespacedDeploymentScale(name);
  const before = read.spec?.replicas ?? 1;
  await cluster.apps.replaceNamespacedDeploymentScale({
    ...name,
    body: Object.assign(read, { spec: { replicas } }),
  });
  return before;
}

/**
 * Keeps a cluster's istiod from answering: the lab stops its process, in a cluster of a user's it has no pods.
 *
 * @returns what lets it answer again
 */
export async function stopIstiod(cluster: ClusterClient): Promise<() => Promise<void>> {
  if (!isE2e) {
    const signal = (name: "SIGSTOP" | "SIGCONT") =>
      signalInPod(cluster.name, `${NAME}-`, "pilot-discovery", name);
    await signal("SIGSTOP");
    return () => signal("SIGCONT");
  }
  const before = await scale(cluster, 0);
  await until(
    `istiod of ${cluster.name} to have no pods`,
    async () => {
      if ((await istiodPods(cluster)).length > 0) throw new Error("it has some");
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
  return async () => {
    await scale(cluster, before);
  };
}
