import * as z from "zod";
import { DEFAULT_REVISION, REVISION_LABEL } from "../lib/revisions.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { explain } from "./explain.ts";
import { ISTIOD_HTTP_PORT, istiodPods } from "./istiod-pods.ts";
import { getJson } from "./pod-http.ts";
import { proxyIdentity } from "./proxy-pod.ts";

/** What istiod sends to proxies: routes, Envoy's clusters, their endpoints, or listeners. */
export type Sent = "route" | "cluster" | "endpoint" | "listener";

const syncz = z.array(
  z.object({
    proxy: z.string(),
    cluster_id: z.string().optional(),
    route_sent: z.string().default(""),
    route_acked: z.string().default(""),
    cluster_sent: z.string().default(""),
    cluster_acked: z.string().default(""),
    endpoint_sent: z.string().default(""),
    endpoint_acked: z.string().default(""),
    listener_sent: z.string().default(""),
    listener_acked: z.string().default(""),
  }),
);

/** A proxy's connection to an istiod. */
export interface Connection {
  /** Identifies the istiod since its start. */
  readonly istiod: string;
  /** Its revision; `default` if it has none. */
  readonly revision: string;
  /** For each kind of configuration the nonce of what was last sent, and of what the proxy has last acknowledged. */
  readonly nonces: Readonly<Record<Sent, { readonly sent: string; readonly acknowledged: string }>>;
}

/** What the istiods of a cluster know of the proxies that are connected to them. */
export interface Connections {
  /** By the proxy's ID: one that has moved may be connected twice for a while. */
  readonly of: ReadonlyMap<string, readonly Connection[]>;
  /** Which istiods have not told theirs, and why. */
  readonly silent: readonly string[];
}

/** Asks every istiod of a cluster which proxies are connected to it, and what they have acknowledged. */
export async function connectionsOf(cluster: ClusterClient): Promise<Connections> {
  const told = await Promise.all(
    (await istiodPods(cluster)).map(async (pod) => {
      try {
        const answer = await getJson(cluster, pod, ISTIOD_HTTP_PORT, "/debug/syncz");
        const revision = pod.metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION;
        return { istiod: proxyIdentity(pod), revision, proxies: syncz.parse(answer) };
      } catch (error) {
        return { silent: `${pod.metadata?.name ?? ""}: ${explain(error)}` };
      }
    }),
  );
  const all = told.flatMap(({ istiod, revision, proxies = [] }) =>
    proxies
      // Istiod may also serve proxies of another cluster, in which a pod may have the same name.
      .filter(({ cluster_id: of = cluster.name }) => of === cluster.name)
      .map((each) => {
        const connection: Connection = {
          istiod: istiod ?? "",
          revision: revision ?? DEFAULT_REVISION,
          nonces: {
            route: { sent: each.route_sent, acknowledged: each.route_acked },
            cluster: { sent: each.cluster_sent, acknowledged: each.cluster_acked },
            endpoint: { sent: each.endpoint_sent, acknowledged: each.endpoint_acked },
            listener: { sent: each.listener_sent, acknowledged: each.listener_acked },
          },
        };
        return [each.proxy, connection] as const;
      }),
  );
  const of = new Map<string, Connection[]>();
  for (const [proxy, connection] of all) of.set(proxy, [...(of.get(proxy) ?? []), connection]);
  return { of, silent: told.flatMap(({ silent }) => silent ?? []) };
}

/** Characters of the UUID at the end of every nonce. */
const UUID_LENGTH = 36;

/**
 * The number of the state that an istiod has made a configuration of: it counts its states from its start, and begins
 * each nonce with time and number, as `2030-01-01T00:00:00Z/42`. Undefined for a nonce of another form.
 */
export function stateOf(nonce: string): number | undefined {
  const number = /^[^/]+\/(\d+)$/.exec(nonce.slice(0, -UUID_LENGTH))?.[1];
  return number === undefined ? undefined : Number(number);
}
