import type { V1Pod } from "@kubernetes/client-node";

import { podKey, type MeshCluster } from "../../fleet/cluster.ts";

/** What the service answered to one call. */
export interface CallResult {
  readonly status: number;
  /** Version and cluster of the pod that answered, if the service did. */
  readonly version: string | undefined;
  readonly cluster: string | undefined;
  readonly body: string;
}

/**
 * Calls a URL once from a client pod.
 *
 * @param headers request headers, for instance `{ "x-canary": "true" }`
 * @throws if there was no HTTP answer at all
 */
export async function call(
  cluster: MeshCluster,
  pod: V1Pod,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<CallResult> {
  const output = await cluster.exec(pod, podKey(pod).name, [
    ...["curl", "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"],
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    url,
  ]);
  const end = output.lastIndexOf("\n");
  const body = output.slice(0, end);
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}=(.*)$`, "m").exec(body)?.[1];
  return {
    status: Number(output.slice(end + 1)),
    version: field("ServiceVersion"),
    cluster: field("Cluster"),
    body,
  };
}
