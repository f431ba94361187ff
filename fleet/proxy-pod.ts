import type { V1Pod } from "@kubernetes/client-node";
import { podKey } from "./cluster-client.ts";

/** Identifies a pod, and not a later one with the same name. */
export function podIdentity(pod: V1Pod): string {
  const { namespace, name } = podKey(pod);
  return `${namespace}/${name} ${pod.metadata?.uid ?? ""}`;
}

/** Identifies a proxy since its start: one that was restarted has asked istiod again. */
export function proxyIdentity(pod: V1Pod): string {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const proxy = [...containerStatuses, ...initContainerStatuses].find(
    ({ name }) => name === "istio-proxy",
  );
  return `${podIdentity(pod)} ${proxy?.restartCount ?? 0}`;
}

/** The ID by which istiod knows a pod's proxy. */
export function proxyId(pod: V1Pod): string {
  const { namespace, name } = podKey(pod);
  return `${name}.${namespace}`;
}

/** Whether a proxy stands beside another container, as an init container on newer clusters. Else it is a gateway. */
export function isSidecar({ spec }: V1Pod): boolean {
  return (spec?.containers ?? []).some(({ name }) => name !== "istio-proxy");
}

/**
 * What a pod was made by. All pods of one ReplicaSet, StatefulSet or DaemonSet have the same template, and so the same
 * labels, by which istiod decides what their proxies get.
 */
export function workloadOf(pod: V1Pod): string {
  const owner = pod.metadata?.ownerReferences?.find(({ controller }) => controller);
  return owner ? `${podKey(pod).namespace} ${owner.uid}` : podIdentity(pod);
}
