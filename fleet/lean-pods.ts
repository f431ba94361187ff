import { ResponseContext, SelfDecodingBody, type V1Pod } from "@kubernetes/client-node";
import { REVISION_LABEL } from "../lib/revisions.ts";

/** A list of pods as API servers give it. */
interface Pods {
  readonly metadata?: unknown;
  readonly items: readonly V1Pod[];
}

/** What is needed to find a pod's proxy, and to tell whose it is. */
function lean({ metadata, spec, status }: V1Pod) {
  const names = (containers: readonly { name: string }[] = []) =>
    containers.map(({ name }) => ({ name }));
  const states = (statuses: NonNullable<V1Pod["status"]>["containerStatuses"] = []) =>
    statuses.map(({ name, ready, restartCount }) => ({ name, ready, restartCount }));
  return {
    metadata: {
      name: metadata?.name,
      namespace: metadata?.namespace,
      uid: metadata?.uid,
      labels: metadata?.labels,
      annotations:
        metadata?.annotations?.[REVISION_LABEL] === undefined
          ? undefined
          : { [REVISION_LABEL]: metadata.annotations[REVISION_LABEL] },
      ownerReferences: metadata?.ownerReferences,
      deletionTimestamp: metadata?.deletionTimestamp,
    },
    spec: { containers: names(spec?.containers), initContainers: names(spec?.initContainers) },
    status: {
      phase: status?.phase,
      containerStatuses: states(status?.containerStatuses),
      initContainerStatuses: states(status?.initContainerStatuses),
    },
  };
}

/**
 * An API server's list of pods without most of what they are: a pod has 10 KiB and more of it, and to make objects of
 * all would take most of the time that a list of thousands takes.
 */
export async function leanPods(response: ResponseContext): Promise<ResponseContext> {
  if (response.httpStatusCode !== 200) return response;
  const { metadata, items } = JSON.parse(await response.body.text()) as Pods;
  const text = JSON.stringify({ metadata, items: items.map(lean) });
  const body = new SelfDecodingBody(Promise.resolve(Buffer.from(text)));
  return new ResponseContext(response.httpStatusCode, response.headers, body);
}
