import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import { hostObjection } from "../lib/ingress-paths.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { shareOf } from "./ingress.ts";

const UNREADABLE = "Give the kubeconfig's user the rights that docs/permissions.md lists.";

/** Whether a service says which paths are its own, or are others'. */
function namesPaths({ ingressPaths, othersPaths }: ServiceSettings): boolean {
  return (ingressPaths ?? othersPaths) !== undefined;
}

/** Services of other stacks that have the same paths of a host. */
async function sharingProblems(
  { services }: Pick<ReleaseSettings, "services">,
  cluster: ClusterClient,
): Promise<Problem[]> {
  const hosts = [...new Set(services.flatMap(({ ingressHosts }) => ingressHosts))];
  if (hosts.length === 0) return [];
  const own = services.map((service) => serviceKey(idOf(service)));
  const found = await clusterRouting.hostShares(cluster, hosts);
  const others = found.filter(({ service }) => !own.includes(service));
  return services.flatMap((service, i) =>
    others.flatMap((other): Problem[] => {
      // Without paths on either side nothing says that they are to share it.
      const isSaid = namesPaths(service) || (other.paths ?? other.others) !== undefined;
      if (!isSaid || !service.ingressHosts.includes(other.host)) return [];
      const objection = hostObjection({ ...shareOf(service), others: service.othersPaths }, other);
      return objection
        ? [
            {
              path: `services[${i}].${service.ingressPaths ? "ingressPaths" : "ingressHosts"}`,
              value: other.host,
              rule: `must leave each path of a host to one service, but ${objection.seen} (another stack's, in ${cluster.name})`,
              fix: `${objection.fix} If ${other.service} is to go, take it out in an update before this one.`,
            },
          ]
        : [];
    }),
  );
}

/** Gateways of one's own that are not there, or do not serve a service's hosts. */
async function gatewayProblems(
  { services }: Pick<ReleaseSettings, "services">,
  cluster: ClusterClient,
): Promise<Problem[]> {
  const problems = await Promise.all(
    services.flatMap(({ ingressGateways = [], ingressHosts, namespace }, i) =>
      ingressGateways.map(async (gateway, j): Promise<Problem[]> => {
        const path = `services[${i}].ingressGateways[${j}]`;
        try {
          const objection = await clusterRouting.gatewayObjection(
            ...([cluster, gateway, ingressHosts, namespace] as const),
          );
          return objection === undefined
            ? []
            : [
                {
                  path,
                  value: gateway,
                  rule: `must serve the hosts in every cluster, but in ${cluster.name} ${objection}`,
                  fix: "Make it there, as in the other clusters, or leave it out.",
                },
              ];
        } catch (error) {
          const rule = `must be readable in ${cluster.name}: ${explain(error)}`;
          return [{ path, value: gateway, rule, fix: UNREADABLE }];
        }
      }),
    ),
  );
  return problems.flat();
}

/**
 * What the clusters say of the services' hosts at gateways: who else has their paths, and whether Gateways of one's own
 * serve them.
 *
 * @param clusters those that answer
 */
export async function ingressFindings(
  settings: Pick<ReleaseSettings, "services">,
  clusters: readonly ClusterClient[],
): Promise<readonly Problem[]> {
  const found = await Promise.all(
    clusters.map(async (cluster) => {
      const gateways = await gatewayProblems(settings, cluster);
      try {
        return [...gateways, ...(await sharingProblems(settings, cluster))];
      } catch (error) {
        // Hosts that are to lead to one service do not wait for it.
        const i = settings.services.findIndex(namesPaths);
        if (i === -1) return gateways;
        const path = `services[${i}].ingressHosts`;
        const rule = `must be hosts whose other services can be read, but in ${cluster.name}: ${explain(error)}`;
        return [...gateways, { path, rule, fix: UNREADABLE }];
      }
    }),
  );
  return found.flat();
}
