import {
  ResponseContext,
  SelfDecodingBody,
  type CoreV1Api,
  type V1Pod,
} from "@kubernetes/client-node";
import { REVISION_LABEL } from "../lib/revisions.ts";
import { allPages } from "./pages.ts";

/** Asks an API server for the metadata of a list's objects, and nothing of what is in them. */
export const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/** A list of pods as API servers give it. */
interface Pods {
  readonly metadata?: unknown;
  /** API servers answer with null for none, where metadata is asked for. */
  readonly items: readonly V1Pod[] | null;
}

/** What is needed to find a pod's proxy, and to tell whose it is. */
function lean({ metadata, spec, status }: V1Pod): V1Pod {
  const names = (containers: readonly { name: string }[] = []) =>
    containers.map(({ name }) => ({ name }));
  const states = (statuses: NonNullable<V1Pod["status"]>["containerStatuses"] = []) =>
    statuses.map(({ name, ready, restartCount }) => ({
      ...{ name, ready, restartCount },
      ...{ image: "", imageID: "" },
    }));
  const revision = metadata?.annotations?.[REVISION_LABEL];
  const { name, namespace, uid, resourceVersion } = metadata ?? {};
  const { labels, ownerReferences, deletionTimestamp } = metadata ?? {};
  const { containers, initContainers, readinessGates } = spec ?? {};
  return {
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(labels && { labels }),
      ...(revision !== undefined && { annotations: { [REVISION_LABEL]: revision } }),
      ...(ownerReferences && { ownerReferences }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: {
      containers: names(containers),
      initContainers: names(initContainers),
      ...(readinessGates && { readinessGates }),
    },
    status: {
      conditions: (status?.conditions ?? []).map(({ type, status: is }) => ({ type, status: is })),
      containerStatuses: states(status?.containerStatuses),
      initContainerStatuses: states(status?.initContainerStatuses),
    },
  };
}

/**
 * Takes the pods out of an API server's answers, before the client makes objects of its own of them. A pod has 10 KiB and
 * more: this would take most of the time that a list of thousands takes.
 *
 * @param keep gets the pods of each page as they were sent
 * @returns what becomes of an answer: the same page without its pods
 */
function takePods(
  keep: (pods: readonly V1Pod[]) => void,
): (response: ResponseContext) => Promise<ResponseContext> {
  return async (response) => {
    if (response.httpStatusCode !== 200) return response;
    const { metadata, items } = JSON.parse(await response.body.text()) as Pods;
    keep(items ?? []);
    const page = Buffer.from(JSON.stringify({ metadata, items: [] }));
    const body = new SelfDecodingBody(Promise.resolve(page));
    return new ResponseContext(response.httpStatusCode, response.headers, body);
  };
}

/** Identifies a pod in one state; undefined where the API server gives its states no versions. */
function stateOf({ metadata }: V1Pod): string | undefined {
  const { uid, resourceVersion } = metadata ?? {};
  return uid === undefined || resourceVersion === undefined
    ? undefined
    : `${uid} ${resourceVersion}`;
}

/** Makes a client whose answers are changed before they are read. */
type MakeClient = (options: {
  readonly accept?: string;
  readonly change: (response: ResponseContext) => Promise<ResponseContext>;
}) => Pick<CoreV1Api, "listPodForAllNamespaces">;

/**
 * Lists the pods of a cluster that match a query, and keeps of each what tells of its proxy. Listed once more, a page is
 * asked for its metadata first, which is a quarter of it, and as a whole only if one of its pods has changed.
 */
export class LeanPods {
  readonly #query: { readonly labelSelector: string; readonly fieldSelector: string };
  readonly #client: MakeClient;
  /** The pods as they were listed last, by their states. */
  #known: ReadonlyMap<string, V1Pod> = new Map();

  constructor(
    query: { readonly labelSelector: string; readonly fieldSelector: string },
    client: MakeClient,
  ) {
    this.#query = query;
    this.#client = client;
  }

  async list(): Promise<readonly V1Pod[]> {
    let page: readonly V1Pod[] = [];
    const change = takePods((pods) => {
      page = pods;
    });
    const whole = this.#client({ change });
    const brief = this.#client({ change, accept: METADATA_ONLY });
    const listed: V1Pod[] = [];
    const known = new Map<string, V1Pod>();
    const keep = (pod: V1Pod) => {
      const state = stateOf(pod);
      if (state !== undefined) known.set(state, pod);
      listed.push(pod);
    };
    await allPages(async (at) => {
      if (this.#known.size > 0) {
        const answer = await brief.listPodForAllNamespaces({ ...this.#query, ...at });
        const before = page.map((pod) => this.#known.get(stateOf(pod) ?? ""));
        if (before.every((pod) => pod !== undefined)) {
          before.forEach(keep);
          return answer;
        }
      }
      const answer = await whole.listPodForAllNamespaces({ ...this.#query, ...at });
      for (const pod of page) keep(lean(pod));
      return answer;
    });
    this.#known = known;
    return listed;
  }
}
