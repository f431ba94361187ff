import type { V1MutatingWebhookConfiguration } from "@kubernetes/client-node";
import { DEFAULT_REVISION, REVISION_LABEL, TAG_LABEL } from "../../lib/revisions.ts";
import type { FoundRevisions } from "../../lib/upgrade-rules.ts";
import type { ClusterClient } from "../cluster-client.ts";

/** The tags of a cluster, and the labels of its namespaces: what only a stack that installs a mesh needs to know. */
export async function findTags({
  objects,
  core,
}: ClusterClient): Promise<Pick<FoundRevisions, "tags" | "labels">> {
  const webhooks = await objects.list<V1MutatingWebhookConfiguration>(
    "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration",
    ...([undefined, undefined, undefined, undefined, undefined, TAG_LABEL] as const),
  );
  const namespaces = await core.listNamespace({ labelSelector: REVISION_LABEL });
  return {
    tags: Object.fromEntries(
      webhooks.items.map(({ metadata }) => [
        metadata?.labels?.[TAG_LABEL] ?? "",
        metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION,
      ]),
    ),
    labels: new Map(
      namespaces.items.map(({ metadata }) => [
        metadata?.name ?? "",
        metadata?.labels?.[REVISION_LABEL] ?? "",
      ]),
    ),
  };
}
