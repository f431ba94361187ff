import { call } from "../mesh/call.ts";
import { ensureClientPod } from "../mesh/client-pod.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { hostInCluster } from "../mesh/service.ts";
import { userService } from "../mesh/user-service.ts";

/** One call with a known right answer. */
export interface Check {
  readonly what: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
}

/** What a call was expected to give, and gave. */
export function check(what: string, expected: string, seen: string): Check {
  return { what, expected, seen, ok: expected === seen };
}

/** From each cluster, one call through the ServiceEntry host of each other cluster. */
export async function serviceEntryChecks(clusters: readonly ClusterClient[]): Promise<Check[]> {
  const pairs = clusters.flatMap((from) =>
    clusters.filter((to) => to !== from).map((to) => ({ from, to })),
  );
  return Promise.all(
    pairs.map(async ({ from, to }) => {
      const host = hostInCluster(userService, to.name);
      const answer = await call(from, await ensureClientPod(from), `http://${host}/`);
      return check(
        `${from.name} calls ${host}`,
        `200 from ${to.name}`,
        `${answer.status} from ${answer.cluster ?? "nowhere"}`,
      );
    }),
  );
}

/** In each cluster, one call whose header sends it to the canary, whatever the weight is. */
export async function headerChecks(clusters: readonly ClusterClient[]): Promise<Check[]> {
  return Promise.all(
    clusters.map(async (cluster) => {
      const answer = await call(
        cluster,
        await ensureClientPod(cluster),
        `http://${userService.host}/`,
        { "x-canary": "true" },
      );
      return check(
        `a call with x-canary: true in ${cluster.name}`,
        `200 from ${userService.canary}`,
        `${answer.status} from ${answer.version ?? "nowhere"}`,
      );
    }),
  );
}
