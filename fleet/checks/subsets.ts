import { gatewayLabels } from "../../lib/helm-values.ts";
import { EAST_WEST_GATEWAY, passthroughCluster, SERVICE_PORT } from "../../lib/names.ts";
import { podKey } from "../cluster.ts";
import { endpointsOf } from "../endpoints.ts";
import { routesOf } from "../envoy.ts";
import type { Check, CheckContext, Finding, Rise } from "./check.ts";

type Pod = Awaited<ReturnType<CheckContext["cluster"]["proxies"]>>[number];

const FIX = "See istioctl proxy-status; a proxy that is not SYNCED has lost its istiod.";

/** Whether a proxy knows where to send the canary's requests. */
async function holds(
  { cluster }: CheckContext,
  pod: Pod,
  envoyCluster: string,
): Promise<readonly Finding[]> {
  const endpoints = await endpointsOf(cluster, pod, envoyCluster);
  const { namespace, name } = podKey(pod);
  if (!endpoints) {
    return [{ seen: `the proxy of ${namespace}/${name} has no ${envoyCluster}`, fix: FIX }];
  }
  return endpoints.some(({ healthy }) => healthy)
    ? []
    : [
        {
          seen: `the proxy of ${namespace}/${name} has no healthy endpoint for ${envoyCluster}`,
          fix: "See that the canary's pods are ready in the clusters it reaches.",
        },
      ];
}

async function heldByClient(context: CheckContext, pod: Pod, rise: Rise) {
  for (const host of rise.hosts) {
    if (await routesOf(context.cluster, pod, host)) {
      return holds(context, pod, `outbound|${SERVICE_PORT}|${rise.canary}|${rise.host}`);
    }
  }
  return [];
}

/**
 * The proxies themselves must hold the canary's subset: those that route to the service, and the
 * east-west gateways, by the server name of the subset.
 */
export const subsets: Check = {
  name: "every proxy holds the canary's subset",
  run: async (context) => {
    const gateway = gatewayLabels(EAST_WEST_GATEWAY);
    const pods = await context.cluster.proxies();
    const findings = await Promise.all(
      context.rises.flatMap((rise) =>
        pods.map(async (pod) =>
          pod.metadata?.labels?.["istio"] === gateway.istio
            ? holds(context, pod, passthroughCluster(rise.host, rise.canary))
            : heldByClient(context, pod, rise),
        ),
      ),
    );
    return findings.flat();
  },
};
