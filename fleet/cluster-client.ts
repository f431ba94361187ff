import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import {
  AppsV1Api,
  AutoscalingV2Api,
  CoordinationV1Api,
  CoreV1Api,
  createConfiguration,
  CustomObjectsApi,
  Exec,
  KubernetesObjectApi,
  ServerConfiguration,
  type ApiType,
  type Configuration,
  type ResponseContext,
  type V1Pod,
  type V1Status,
} from "@kubernetes/client-node";
import { EAST_WEST_PORT } from "../lib/names.ts";
import { ClusterKubeConfig } from "./cluster-kubeconfig.ts";
import { Transient } from "./explain.ts";
import { listedKubeconfig } from "./kubeconfig.ts";
import { LeanPods, METADATA_ONLY } from "./lean-pods.ts";
import { allPages } from "./pages.ts";
import { webSockets } from "./web-sockets.ts";

/** How an API server is reached. */
export interface ClusterAccess {
  /** The cluster's name in the mesh. */
  readonly name: string;
  /** Its context in the kubeconfig. */
  readonly context: string;
  /** Path or content of the kubeconfig. @default the files kubectl reads */
  readonly kubeconfig?: string | undefined;
  /** Port at which other clusters reach its east-west gateway. @default 15443 */
  readonly eastWestPort?: number | undefined;
  /** Longest wait for one answer, in milliseconds. @default 30000 */
  readonly answerWithinMs?: number | undefined;
}

/** The label that Istio's injection gives to every pod with a proxy, sidecar or gateway. */
const PROXY_LABEL = "service.istio.io/canonical-name";

const RUNNING = "status.phase=Running";

function isStaying({ metadata }: V1Pod): boolean {
  return !metadata?.deletionTimestamp;
}

/** Like AbortSignal.timeout, but with an error whose message the client may prefix. */
function timeoutSignal(ms: number): AbortSignal {
  const controller = new AbortController();
  const error = Object.assign(new Error("no answer in time"), { name: "TimeoutError" });
  setTimeout(() => {
    controller.abort(error);
  }, ms).unref();
  return controller.signal;
}

/** One Kubernetes cluster of the mesh, seen through its API server. */
export class ClusterClient {
  readonly name: string;
  /** Port at which other clusters reach its east-west gateway. */
  readonly eastWestPort: number;
  readonly kubeConfig: ClusterKubeConfig;
  readonly apps: AppsV1Api;
  readonly autoscaling: AutoscalingV2Api;
  readonly core: CoreV1Api;
  readonly coordination: CoordinationV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;
  /** Lists Secrets without their content. */
  readonly secretsMetadata: Pick<CoreV1Api, "listNamespacedSecret">;
  readonly #answerWithinMs: number;
  readonly #proxies: LeanPods;
  #clockAhead: number | undefined;
  #listing: Promise<readonly V1Pod[]> | undefined;

  constructor({
    name,
    context,
    kubeconfig,
    eastWestPort = EAST_WEST_PORT,
    answerWithinMs = 30_000,
  }: ClusterAccess) {
    this.name = name;
    this.eastWestPort = eastWestPort;
    this.#answerWithinMs = answerWithinMs;
    this.kubeConfig = new ClusterKubeConfig(context, kubeconfig ?? listedKubeconfig(context));
    this.apps = this.#client(AppsV1Api);
    this.autoscaling = this.#client(AutoscalingV2Api);
    this.core = this.#client(CoreV1Api);
    this.coordination = this.#client(CoordinationV1Api);
    this.custom = this.#client(CustomObjectsApi);
    this.objects = this.#client(KubernetesObjectApi);
    this.secretsMetadata = this.#client(CoreV1Api, { accept: METADATA_ONLY });
    const query = { labelSelector: PROXY_LABEL, fieldSelector: RUNNING };
    this.#proxies = new LeanPods(query, (options) => this.#client(CoreV1Api, options));
  }

  /** How far the API server's clock was ahead of this machine's at its last answer, in milliseconds. */
  get clockAheadMs(): number | undefined {
    return this.#clockAhead;
  }

  #noServer(): string {
    const { currentContext: context } = this.kubeConfig;
    const contexts = this.kubeConfig.getContexts().map(({ name }) => name);
    return contexts.includes(context)
      ? `the kubeconfig has no server for its context ${context}`
      : `the kubeconfig has no context ${context}; it has ${contexts.join(", ") || "none"}`;
  }

  /**
   * Like KubeConfig's makeApiClient, but with a time limit for every answer.
   *
   * @param accept in which form answers are wanted. @default the client's choice
   * @param change what becomes of an answer before it is read. @default nothing
   */
  #client<T extends ApiType>(
    type: new (config: Configuration) => T,
    {
      accept,
      change = (same) => Promise.resolve(same),
    }: {
      readonly accept?: string;
      readonly change?: (response: ResponseContext) => Promise<ResponseContext>;
    } = {},
  ): T {
    const server = this.kubeConfig.getCurrentCluster()?.server;
    if (server === undefined) throw new Error(this.#noServer());
    return new type(
      createConfiguration({
        baseServer: new ServerConfiguration(server, {}),
        authMethods: { default: this.kubeConfig },
        promiseMiddleware: [
          {
            pre: (request) => {
              request.setSignal(timeoutSignal(this.#answerWithinMs));
              if (accept !== undefined) request.setHeaderParam("Accept", accept);
              return Promise.resolve(request);
            },
            post: (response) => {
              if (response.httpStatusCode === 401) this.kubeConfig.forgetCredentials();
              const date = Date.parse(response.headers["date"] ?? "");
              if (!Number.isNaN(date)) this.#clockAhead = date - Date.now();
              return change(response);
            },
          },
        ],
      }),
    );
  }

  /** The running pods that carry the labels, in one namespace or in all of them. */
  async runningPods(labelSelector: string, namespace?: string): Promise<V1Pod[]> {
    const query = { labelSelector, fieldSelector: RUNNING };
    const items = await allPages((page) =>
      namespace === undefined
        ? this.core.listPodForAllNamespaces({ ...query, ...page })
        : this.core.listNamespacedPod({ namespace, ...query, ...page }),
    );
    return items.filter(isStaying);
  }

  /**
   * The running pods that have a proxy, ready or not. Whoever asks for all of them at the same time shares one list, with
   * what `LeanPods` keeps of each.
   */
  async podsWithProxy(labelSelector?: string): Promise<readonly V1Pod[]> {
    if (labelSelector !== undefined) return this.runningPods(`${PROXY_LABEL},${labelSelector}`);
    this.#listing ??= this.#proxies.list().finally(() => {
      this.#listing = undefined;
    });
    return (await this.#listing).filter(isStaying);
  }

  /** Every proxy that serves: sidecars and gateways whose own container is ready. */
  async proxies(labelSelector?: string): Promise<readonly V1Pod[]> {
    return (await this.podsWithProxy(labelSelector)).filter(hasReadyProxy);
  }

  /**
   * Runs a command in a container and gives what it printed on stdout.
   *
   * @param withinMs in milliseconds: a pod that is being stopped may neither answer nor close the connection.
   * @default without a bound
   * @throws with the command's stderr if it fails
   */
  async exec(
    pod: V1Pod,
    container: string,
    command: readonly string[],
    withinMs?: number,
  ): Promise<string> {
    const { namespace, name } = podKey(pod);
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    // Not within(): a socket that is late has to be closed.
    const bound = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs);
    const status = new Promise<V1Status>((resolve, reject) => {
      bound?.addEventListener("abort", () => {
        reject(new Transient(`no answer from ${namespace}/${name} of ${this.name} in time`));
      });
      new Exec(this.kubeConfig, webSockets(this.kubeConfig, withinMs ?? this.#answerWithinMs))
        .exec(namespace, name, container, [...command], stdout, stderr, null, false, resolve)
        .then((socket) => {
          const close = () => {
            socket.close();
          };
          if (bound?.aborted) close();
          bound?.addEventListener("abort", close);
          socket.on("error", reject);
          // The status comes first, except from a pod that ends meanwhile.
          socket.on("close", () => {
            reject(new Transient(`${namespace}/${name} of ${this.name} has closed the connection`));
          });
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

/** Whether the proxy's own container is ready. */
export function hasReadyProxy({ status }: V1Pod): boolean {
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].some(
    ({ name, ready }) => name === "istio-proxy" && ready,
  );
}

/** Namespace and name of a pod that came from an API server. */
export function podKey(pod: V1Pod): { namespace: string; name: string } {
  const { namespace, name } = pod.metadata ?? {};
  if (!namespace || !name) throw new Error("the API server returned a pod without a name");
  return { namespace, name };
}
