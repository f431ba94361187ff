import type { V1Pod } from "@kubernetes/client-node";
import type { FoundPod, FoundWorkload, Scaled } from "../lib/existing.ts";
import type { ServiceName } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";
import { allPages } from "./pages.ts";

/** The object, or undefined if the API server has none. */
async function found<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Whether a pod counts: one that ends, or has ended, gets no requests. */
function isAlive({ metadata, status }: V1Pod): boolean {
  return (
    !metadata?.deletionTimestamp && status?.phase !== "Succeeded" && status?.phase !== "Failed"
  );
}

/** Labels with the hash by which a ReplicaSet is named after what makes it: a Deployment, or Argo's Rollout. */
const HASHES = ["pod-template-hash", "rollouts-pod-template-hash"];

/** What the pod's controller is made by, without another question: ReplicaSets are named `NAME-HASH`. */
function scaledOf({ metadata }: V1Pod): Scaled | undefined {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return undefined;
  if (owner.kind !== "ReplicaSet") return { kinds: [owner.kind], name: owner.name };
  const hash = HASHES.map((label) => metadata?.labels?.[label]).find(
    (value) => value !== undefined && owner.name.endsWith(`-${value}`),
  );
  return hash === undefined
    ? undefined
    : { kinds: ["Deployment", "Rollout"], name: owner.name.slice(0, -hash.length - 1) };
}

function podOf(pod: V1Pod): FoundPod {
  const { metadata, spec, status } = pod;
  const scaled = scaledOf(pod);
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return {
    name: metadata?.name ?? "",
    labels: metadata?.labels ?? {},
    serviceAccount: spec?.serviceAccountName ?? "default",
    isReady: (status?.conditions ?? []).some(
      (each) => each.type === "Ready" && each.status === "True",
    ),
    // A sidecar is a container, or an init container that stays on newer clusters.
    hasSidecar: containers.some(({ name }) => name === "istio-proxy"),
    ...(scaled && { scaled }),
  };
}

/**
 * What a cluster has of a service that others have made: whichever kind of controller makes its pods.
 *
 * @throws if the API server does not answer, or refuses to
 */
export async function findWorkload(
  cluster: ClusterClient,
  { service: name, namespace }: ServiceName,
): Promise<FoundWorkload> {
  const [home, service] = await Promise.all([
    found(cluster.core.readNamespace({ name: namespace })),
    found(cluster.core.readNamespacedService({ name, namespace })),
  ]);
  const selector = service?.spec?.selector ?? {};
  const labelSelector = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const pods =
    labelSelector === ""
      ? []
      : await allPages((page) =>
          cluster.core.listNamespacedPod({ namespace, labelSelector, ...page }),
        );
  return {
    namespace: home && (home.metadata?.labels ?? {}),
    service: service && {
      type: service.spec?.type,
      isHeadless: service.spec?.clusterIP === "None",
      selector,
      ports: (service.spec?.ports ?? []).map(({ port, name: portName, appProtocol, protocol }) => ({
        port,
        name: portName,
        appProtocol,
        protocol,
      })),
    },
    pods: pods.filter(isAlive).map(podOf),
  };
}
