import { isIPv6 } from "node:net";
import type { V1Pod } from "@kubernetes/client-node";
import { routing } from "../../lib/routing/index.ts";
import { isListed } from "../ask-pods.ts";
import { podKey, type ClusterClient } from "../cluster-client.ts";
import { endpointsOf } from "../endpoints.ts";
import { portsOf, type Check, type Finding } from "./check.ts";

/** Seconds in which a gateway must take a connection. */
const CONNECT_WITHIN_S = 2;

/** Time limit of the attempt, in milliseconds. */
const TRIED_WITHIN_MS = 5_000;

/**
 * The gateways that a proxy sends requests for other clusters to, as URLs have them.
 *
 * @param ports those of the gateways, by which they are told from pods
 */
async function gatewaysOf(
  cluster: ClusterClient,
  pod: V1Pod,
  envoyClusters: readonly string[],
  ports: readonly number[],
): Promise<readonly string[]> {
  const endpoints = [...(await endpointsOf(cluster, pod, envoyClusters)).values()].flat();
  const places = endpoints.flatMap(({ address, port }) =>
    address !== undefined && port !== undefined && ports.includes(port)
      ? [`${isIPv6(address) ? `[${address}]` : address}:${port}`]
      : [],
  );
  return [...new Set(places)];
}

/**
 * Why no connection is made from a proxy to a gateway, or undefined if one is. Istio's
 * agent, which is in every proxy's container, speaks plain HTTP where the gateway expects TLS: that
 * this is turned down shows that the way is open.
 */
async function cutOff(
  cluster: ClusterClient,
  pod: V1Pod,
  place: string,
): Promise<string | undefined> {
  try {
    const command = [
      ...["pilot-agent", "wait", "--url", `http://${place}`],
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
  places: readonly string[],
): Promise<readonly Finding[]> {
  const { namespace, name } = podKey(pod);
  const findings = await Promise.all(
    places.map(async (place) => {
      const reason = await cutOff(cluster, pod, place);
      return reason === undefined
        ? []
        : [
            {
              seen: `${namespace}/${name} cannot connect to ${place} (${reason})`,
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
  run: async ({ cluster, clusters, canaries }) => {
    const ports = clusters.filter((each) => each !== cluster).map((each) => each.eastWestPort);
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
        const places = await gatewaysOf(cluster, pod, envoyClusters, ports);
        if (places.length > 0) return await unreached(cluster, pod, places);
      } catch (error) {
        if (await isListed(list, pod)) throw error;
      }
    }
    return [];
  },
};
