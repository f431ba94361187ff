import { ResponseContext, SelfDecodingBody, type V1Pod } from "@kubernetes/client-node";
import { REVISION_LABEL } from "../lib/revisions.ts";

/** A list of pods as API servers give it. */
interface Pods {
  readonly metadata?: unknown;
  readonly items: readonly V1Pod[];
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
  const { name, namespace, uid, labels, ownerReferences, deletionTimestamp } = metadata ?? {};
  const { containers, initContainers, readinessGates } = spec ?? {};
  return {
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
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
 * Keeps of an API server's list of pods what tells of their proxies. A pod has 10 KiB and more: to make the client's
 * objects of all of them would take most of the time that a list of thousands takes.
 *
 * @param keep gets the pods of each page
 * @returns what becomes of an answer: the same page without its pods
 */
export function leanPods(
  keep: (pods: readonly V1Pod[]) => void,
): (response: ResponseContext) => Promise<ResponseContext> {
  return async (response) => {
    if (response.httpStatusCode !== 200) return response;
    const { metadata, items } = JSON.parse(await response.body.text()) as Pods;
    keep(items.map(lean));
    const page = Buffer.from(JSON.stringify({ metadata, items: [] }));
    const body = new SelfDecodingBody(Promise.resolve(page));
    return new ResponseContext(response.httpStatusCode, response.headers, body);
  };
}
