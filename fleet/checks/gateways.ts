import { isIPv6 } from "node:net";
import type { V1Pod } from "@kubernetes/client-node";
import { EAST_WEST_PORT } from "../../lib/names.ts";
import { routing } from "../../lib/routing/index.ts";
import { isListed } from "../ask-pods.ts";
import { podKey, type ClusterClient } from "../cluster-client.ts";
import { endpointsOf } from "../endpoints.ts";
import { portsOf, type Check, type Finding } from "./check.ts";

/** Seconds in which a gateway must take a connection. */
const CONNECT_WITHIN_S = 2;

/** Time limit of the attempt, in milliseconds. */
const TRIED_WITHIN_MS = 5_000;

/** Addresses of the gateways that a proxy sends requests for other clusters to. */
async function gatewaysOf(
  cluster: ClusterClient,
  pod: V1Pod,
  envoyClusters: readonly string[],
): Promise<readonly string[]> {
  const endpoints = [...(await endpointsOf(cluster, pod, envoyClusters)).values()].flat();
  const addresses = endpoints.flatMap(({ address, port }) =>
    address !== undefined && port === EAST_WEST_PORT ? [address] : [],
  );
  return [...new Set(addresses)];
}

/** An address with the port of gateways, as URLs have it. */
function placeOf(address: string): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${EAST_WEST_PORT}`;
}

/**
 * Why no connection is made from a proxy's place to an address, or undefined if one is. Istio's
 * agent, which is in every proxy's container, speaks plain HTTP where the gateway expects TLS: that
 * this is turned down shows that the way is open.
 */
async function cutOff(
  cluster: ClusterClient,
  pod: V1Pod,
  address: string,
): Promise<string | undefined> {
  try {
    const command = [
      ...["pilot-agent", "wait", "--url", `http://${placeOf(address)}`],
      ...["--timeoutSeconds", String(CONNECT_WITHIN_S), "--periodMillis", "100"],
      ...["--requestTimeoutMillis", String(CONNECT_WITHIN_S * 1000 - 500)],
    ];
    await cluster.exec(pod, "istio-proxy", command, TRIED_WITHIN_MS);
    return undefined;
  } catch (error) {
    const last = /Last error: (.*)/.exec(String(error))?.[1];
    if (last === undefined) throw error;
    return /dial tcp|Client\.Timeout|<nil>/.test(last) ? last : undefined;
  }
}

/** The gateways that a proxy cannot connect to. */
async function unreached(
  cluster: ClusterClient,
  pod: V1Pod,
  addresses: readonly string[],
): Promise<readonly Finding[]> {
  const { namespace, name } = podKey(pod);
  const findings = await Promise.all(
    addresses.map(async (address) => {
      const reason = await cutOff(cluster, pod, address);
      return reason === undefined
        ? []
        : [
            {
              seen: `${namespace}/${name} cannot connect to ${placeOf(address)} (${reason})`,
              fix: "Fix the network between the clusters.",
              mayHeal: true,
            },
          ];
    }),
  );
  return findings.flat();
}

/** A share of every client's requests goes to the canary's pods in the other clusters. */
export const gateways: Check = {
  name: "the other clusters' gateways can be reached",
  run: async ({ cluster, canaries }) => {
    const envoyClusters = canaries.flatMap((canary) =>
      portsOf(canary).map((port) => routing.envoyCluster(canary.host, canary.canary, port)),
    );
    const own = new Set(canaries.map(({ namespace }) => namespace));
    // Pods of others only where none of the services' own sends requests there: trying from a pod takes a right in it.
    const isOwn = (pod: V1Pod) => Number(own.has(podKey(pod).namespace));
    const list = async () =>
      (await cluster.proxies()).toSorted((one, other) => isOwn(other) - isOwn(one));
    // One client stands for all: the first that sends requests to other clusters, and stays to be asked.
    for (const pod of await list()) {
      try {
        const addresses = await gatewaysOf(cluster, pod, envoyClusters);
        if (addresses.length > 0) return await unreached(cluster, pod, addresses);
      } catch (error) {
        if (await isListed(list, pod)) throw error;
      }
    }
    return [];
  },
};
