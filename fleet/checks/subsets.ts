import { gatewayLabels } from "../../lib/helm-values.ts";
import { EAST_WEST_GATEWAY } from "../../lib/names.ts";
import { routing } from "../../lib/routing/index.ts";
import { askPods } from "../ask-pods.ts";
import { podKey } from "../cluster-client.ts";
import { endpointsOf } from "../endpoints.ts";
import { explain } from "../explain.ts";
import { clusterRouting } from "../routing/index.ts";
import { portsOf, type Canary, type Check, type CheckContext, type Finding } from "./check.ts";

type Pod = Awaited<ReturnType<CheckContext["cluster"]["proxies"]>>[number];

const FIX = "See istioctl proxy-status; a proxy that is not SYNCED has lost its istiod.";

/** Whether a proxy knows where to send the canaries' requests. */
async function holds(
  { cluster }: CheckContext,
  pod: Pod,
  envoyClusters: readonly string[],
): Promise<readonly Finding[]> {
  const known = await endpointsOf(cluster, pod, envoyClusters);
  const { namespace, name } = podKey(pod);
  return envoyClusters.flatMap((envoyCluster) => {
    const endpoints = known.get(envoyCluster);
    if (!endpoints) {
      const seen = `the proxy of ${namespace}/${name} has no ${envoyCluster}`;
      return [{ seen, fix: FIX, mayHeal: true }];
    }
    return endpoints.some(({ healthy }) => healthy)
      ? []
      : [
          {
            seen: `the proxy of ${namespace}/${name} has no healthy endpoint for ${envoyCluster}`,
            fix: "Make sure that the canary's pods are ready in the clusters it reaches.",
            mayHeal: true,
          },
        ];
  });
}

/** The canaries whose services a proxy routes to. */
async function routedBy({ cluster, canaries }: CheckContext, pod: Pod): Promise<readonly Canary[]> {
  const hosts = canaries.flatMap((canary) => canary.hosts);
  const held = Object.values(await clusterRouting.held(cluster, pod, hosts));
  const domains = new Set(held.flatMap((virtualHost) => virtualHost.domains));
  return canaries.filter((canary) => canary.hosts.some((host) => domains.has(host)));
}

/**
 * The proxies themselves must hold the canaries' subsets: those that route to the services, and the
 * east-west gateways, by the server names of the subsets.
 */
export const subsets: Check = {
  name: "every proxy holds the canary's subset",
  run: async (context) => {
    const gateway = gatewayLabels(EAST_WEST_GATEWAY);
    const { answers, silent } = await askPods(
      () => context.cluster.proxies(),
      async (pod) => {
        const isGateway = pod.metadata?.labels?.["istio"] === gateway.istio;
        const wanted = isGateway
          ? context.canaries.flatMap((canary) =>
              portsOf(canary).map((port) =>
                routing.passthroughCluster(canary.host, canary.canary, port),
              ),
            )
          : (await routedBy(context, pod)).flatMap((canary) =>
              portsOf(canary).map((port) => routing.envoyCluster(canary.host, canary.canary, port)),
            );
        return holds(context, pod, wanted);
      },
    );
    const unanswered = silent.map(({ pod, error }): Finding => {
      const { namespace, name } = podKey(pod);
      return {
        seen: `the proxy of ${namespace}/${name} does not answer (${explain(error)})`,
        fix: "Restart the pod. A pod that is not ready is not asked.",
        mayHeal: true,
      };
    });
    return [...answers.flat(), ...unanswered];
  },
};
