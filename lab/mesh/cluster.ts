import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import {
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  type V1Pod,
  type V1Status,
} from "@kubernetes/client-node";

/** One Kubernetes cluster of the mesh, seen through its API server. */
export class MeshCluster {
  /** The cluster's name, which is also its context in the kubeconfig. */
  readonly name: string;
  readonly kubeConfig: KubeConfig;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;

  constructor(kubeconfigPath: string, context: string) {
    this.name = context;
    this.kubeConfig = new KubeConfig();
    this.kubeConfig.loadFromFile(kubeconfigPath);
    this.kubeConfig.setCurrentContext(context);
    this.core = this.kubeConfig.makeApiClient(CoreV1Api);
    this.custom = this.kubeConfig.makeApiClient(CustomObjectsApi);
    this.objects = KubernetesObjectApi.makeApiClient(this.kubeConfig);
  }

  /** The running pods of a namespace, or of all namespaces, that carry the labels. */
  async runningPods(labelSelector?: string, namespace?: string): Promise<V1Pod[]> {
    const query = {
      ...(labelSelector !== undefined && { labelSelector }),
      fieldSelector: "status.phase=Running",
    };
    const { items } = namespace
      ? await this.core.listNamespacedPod({ namespace, ...query })
      : await this.core.listPodForAllNamespaces(query);
    return items.filter((pod) => !pod.metadata?.deletionTimestamp);
  }

  /**
   * Runs a command in a container and gives what it printed on stdout.
   *
   * @throws with the command's stderr if it fails
   */
  async exec(pod: V1Pod, container: string, command: readonly string[]): Promise<string> {
    const { namespace, name } = podKey(pod);
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const status = new Promise<V1Status>((resolve, reject) => {
      new Exec(this.kubeConfig)
        .exec(namespace, name, container, [...command], stdout, stderr, null, false, resolve)
        .then((socket) => {
          socket.on("error", reject);
        }, reject);
    });
    const [result, out, err] = await Promise.all([
      status.finally(() => {
        stdout.end();
        stderr.end();
      }),
      text(stdout),
      text(stderr),
    ]);
    if (result.status !== "Success") {
      throw new Error(
        `${command[0] ?? ""} in ${namespace}/${name} of ${this.name} failed: ${result.message ?? ""} ${err.trim()}`,
      );
    }
    return out;
  }
}

/** Namespace and name of a pod that came from an API server. */
export function podKey(pod: V1Pod): { namespace: string; name: string } {
  const { namespace, name } = pod.metadata ?? {};
  if (!namespace || !name) throw new Error("the API server returned a pod without a name");
  return { namespace, name };
}
