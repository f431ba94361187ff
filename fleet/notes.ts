import { createHash } from "node:crypto";
import { PatchStrategy, type KubernetesObject } from "@kubernetes/client-node";
import { JOURNAL, type Notes } from "../lib/journal.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { isNotFound } from "./explain.ts";

/** What the journal of a namespace has; nothing if there is none yet. */
export async function readNotes(cluster: ClusterClient, namespace: string): Promise<Notes> {
  try {
    const { data } = await cluster.core.readNamespacedConfigMap({ name: JOURNAL, namespace });
    return data ?? {};
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

/** Longest name of a field manager that API servers take (Kubernetes: ManagedFieldsEntry). */
const LONGEST_MANAGER = 128;

/** The field manager of an owner; one with a long name is told from others by a digest. */
function managerOf(owner: string): string {
  const name = `${JOURNAL}-${owner}`;
  if (name.length <= LONGEST_MANAGER) return name;
  const digest = createHash("sha256").update(owner).digest("hex").slice(0, 16);
  return `${name.slice(0, LONGEST_MANAGER - digest.length - 1)}-${digest}`;
}

/**
 * Writes into the journal of a namespace.
 *
 * @param owner of the values, which are all that it has from then on; other owners' stay
 */
export async function writeNotes(
  cluster: ClusterClient,
  namespace: string,
  owner: string,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const object: KubernetesObject & { data: Record<string, string> } = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: JOURNAL,
      namespace,
      labels: { "app.kubernetes.io/part-of": "istio-canary" },
    },
    data: Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]),
    ),
  };
  await cluster.objects.patch(
    object,
    undefined,
    undefined,
    managerOf(owner),
    true,
    PatchStrategy.ServerSideApply,
  );
}
