import type { V1ObjectMeta } from "@kubernetes/client-node";
import type { HelmRecord } from "../lib/helm-records.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { isConflict, isNotFound } from "./explain.ts";
import { allPages } from "./pages.ts";

/** A record, and which state of its Secret was read. */
export interface FoundRecord extends HelmRecord {
  readonly uid: string;
  readonly resourceVersion: string;
}

function recordOf({
  name,
  namespace,
  labels,
  uid,
  resourceVersion,
  creationTimestamp,
}: V1ObjectMeta): readonly FoundRecord[] {
  const { name: release, status, version } = labels ?? {};
  if (!name || !namespace || !release || !status || !uid || !resourceVersion) return [];
  return [
    {
      ...{ namespace, release, status, secret: name, uid, resourceVersion },
      revision: Number(version),
      since: new Date(creationTimestamp ?? 0),
    },
  ];
}

/**
 * Helm's records in a namespace. Only the Secrets' metadata is read: their content has the values of the charts.
 *
 * @param selector more labels that they must have. @default all records
 */
export async function helmRecords(
  { secretsMetadata }: ClusterClient,
  namespace: string,
  selector?: string,
): Promise<readonly FoundRecord[]> {
  const labelSelector = ["owner=helm", selector].filter(Boolean).join(",");
  const secrets = await allPages(async (page) =>
    secretsMetadata.listNamespacedSecret({ namespace, labelSelector, ...page }),
  );
  return secrets.flatMap(({ metadata }) => recordOf(metadata ?? {}));
}

/**
 * Deletes a record as it was read.
 *
 * @returns whether it is gone; false if it has changed meanwhile
 */
export async function deleteRecord(
  { core }: ClusterClient,
  { namespace, secret, uid, resourceVersion }: FoundRecord,
): Promise<boolean> {
  try {
    const body = { preconditions: { uid, resourceVersion } };
    await core.deleteNamespacedSecret({ namespace, name: secret, body });
  } catch (error) {
    if (isNotFound(error)) return true;
    if (isConflict(error)) return false;
    throw error;
  }
  return true;
}
