import type { TrustedRoot } from "../../lib/existing-istio/found.ts";
import { rootsOf } from "../authorities.ts";
import type { ClusterClient } from "../cluster-client.ts";

/** The root certificates that a cluster's proxies trust. */
export async function findRoots(cluster: ClusterClient): Promise<readonly TrustedRoot[]> {
  return (await rootsOf(cluster)).map(({ fingerprint256, validToDate }) => ({
    fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
    expires: validToDate.toISOString(),
  }));
}
