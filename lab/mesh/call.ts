import type { V1Pod } from "@kubernetes/client-node";

import { podKey, type ClusterClient } from "../../fleet/cluster-client.ts";

/** What the service answered to one call. */
export interface CallResult {
  readonly status: number;
  /** Version and cluster of the pod that answered, if the service did. */
  readonly version: string | undefined;
  readonly cluster: string | undefined;
  readonly body: string;
}

function resultOf(body: string, status: string): CallResult {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}=(.*)$`, "m").exec(body)?.[1];
  return {
    status: Number(status),
    version: field("ServiceVersion"),
    cluster: field("Cluster"),
    body,
  };
}

/** What curl writes after each answer, and what finds it. */
const END = { writeOut: "\nanswered with %{http_code}\n", pattern: /\nanswered with (\d+)\n/ };

/**
 * Calls a URL several times from a client pod, one call after the other.
 *
 * @param headers request headers, for instance `{ "x-canary": "true" }`
 * @throws if one of them had no HTTP answer at all
 */
export async function calls(
  cluster: ClusterClient,
  pod: V1Pod,
  url: string,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly CallResult[]> {
  const output = await cluster.exec(pod, podKey(pod).name, [
    ...["curl", "--silent", "--show-error", "--fail-early", "--max-time", "20"],
    ...["--write-out", END.writeOut],
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    ...Array.from({ length: count }, () => url),
  ]);
  const parts = output.split(END.pattern);
  return Array.from({ length: count }, (_, i) => {
    const [body, status] = parts.slice(2 * i);
    if (body === undefined || status === undefined) {
      throw new Error(`${i} of ${count} answers of ${url} have come back from curl: ${output}`);
    }
    return resultOf(body, status);
  });
}

/** As {@link calls}, once. */
export async function call(
  cluster: ClusterClient,
  pod: V1Pod,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<CallResult> {
  const [result] = await calls(cluster, pod, url, 1, headers);
  if (!result) throw new Error(`${url} was not called`);
  return result;
}
