import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { crossClusterHost } from "../../lib/names.ts";
import { call } from "../mesh/call.ts";
import { chain, chainService } from "../mesh/chain.ts";
import { ensureClientPod } from "../mesh/client-pod.ts";
import { parseHop } from "./answers.ts";
import { wayText } from "./chain-ways.ts";
import { check, type Check } from "./checks.ts";

const STABLE = `${chain.stable} alone`;
const CANARY = `${chain.canary} alone, marked`;

/** Requests to the entry by their headers, and which versions of all services serve them at weight 0. */
const REQUESTS: readonly {
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly served: string;
}[] = [
  { what: "a plain call", headers: {}, served: STABLE },
  { what: "x-canary: true", headers: { "x-canary": "true" }, served: CANARY },
  { what: "tester alice", headers: { [chain.header]: chain.tester }, served: CANARY },
  { what: "a forged mark", headers: { [chain.header]: chain.mark }, served: STABLE },
  {
    what: "forged baggage",
    headers: { baggage: `${chain.baggage}=${chain.mark}` },
    served: STABLE,
  },
];

function way(body: string): string {
  return wayText(body.split("\n").flatMap((line) => parseHop(line) ?? []));
}

/** From each cluster, calls to the entry in each other cluster, which its mark decides about. */
export async function chainChecks(clusters: readonly ClusterClient[]): Promise<Check[]> {
  const pairs = clusters.flatMap((from) =>
    clusters.filter((to) => to !== from).map((to) => ({ from, to })),
  );
  const checks = await Promise.all(
    pairs.map(async ({ from, to }) => {
      const pod = await ensureClientPod(from);
      const host = crossClusterHost(chainService(chain.entry), to.name);
      return Promise.all(
        REQUESTS.map(async ({ what, headers, served }) => {
          const answer = await call(from, pod, `http://${host}/`, headers);
          return check(
            `${what} from ${from.name} to ${host}`,
            `200 from ${served}`,
            `${answer.status} from ${way(answer.body)}`,
          );
        }),
      );
    }),
  );
  return checks.flat();
}
