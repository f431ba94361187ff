import type { V1Pod } from "@kubernetes/client-node";
import { EAST_WEST_PORT, SERVICE_PORT } from "../../lib/names.ts";
import { podKey, type MeshCluster } from "../cluster.ts";
import { endpointsOf } from "../endpoints.ts";
import type { Canary, Check } from "./check.ts";

/** Seconds in which a gateway must take a connection. */
const CONNECT_WITHIN_S = 2;

/** A proxy that sends requests to other clusters, and the addresses of the gateways that it sends them to. */
async function clientOf(cluster: MeshCluster, canaries: readonly Canary[]) {
  const envoyClusters = canaries.map(
    ({ canary, host }) => `outbound|${SERVICE_PORT}|${canary}|${host}`,
  );
  for (const pod of await cluster.proxies()) {
    const endpoints = [...(await endpointsOf(cluster, pod, envoyClusters)).values()].flat();
    const gateways = endpoints.flatMap(({ address, port }) =>
      address !== undefined && port === EAST_WEST_PORT ? [address] : [],
    );
    if (gateways.length > 0) return { pod, gateways: [...new Set(gateways)] };
  }
  return undefined;
}

/**
 * Why no connection is made from a proxy's place to an address, or undefined if one is. Istio's
 * agent, which is in every proxy's container, speaks plain HTTP where the gateway expects TLS: that
 * this is turned down shows that the way is open.
 */
async function cutOff(
  cluster: MeshCluster,
  pod: V1Pod,
  address: string,
): Promise<string | undefined> {
  try {
    await cluster.exec(pod, "istio-proxy", [
      ...["pilot-agent", "wait", "--url", `http://${address}:${EAST_WEST_PORT}`],
      ...["--timeoutSeconds", String(CONNECT_WITHIN_S), "--periodMillis", "100"],
      ...["--requestTimeoutMillis", String(CONNECT_WITHIN_S * 1000 - 500)],
    ]);
    return undefined;
  } catch (error) {
    const last = /Last error: (.*)/.exec(String(error))?.[1];
    if (last === undefined) throw error;
    return /dial tcp|Client\.Timeout|<nil>/.test(last) ? last : undefined;
  }
}

/** A share of every client's requests goes to the canary's pods in the other clusters. */
export const gateways: Check = {
  name: "the other clusters' gateways are reached",
  run: async ({ cluster, canaries }) => {
    const client = await clientOf(cluster, canaries);
    if (!client) return [];
    const { namespace, name } = podKey(client.pod);
    const findings = await Promise.all(
      client.gateways.map(async (address) => {
        const reason = await cutOff(cluster, client.pod, address);
        return reason === undefined
          ? []
          : [
              {
                seen: `${namespace}/${name} gets no connection to ${address}:${EAST_WEST_PORT} (${reason})`,
                fix: "Mend the network between the clusters.",
              },
            ];
      }),
    );
    return findings.flat();
  },
};
