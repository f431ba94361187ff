import { deployedRoute, type DeployedCluster, type DeployedRoute } from "../lib/deployed.ts";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { explain, isNotFound } from "./explain.ts";

/** Image of the service's container by the label `version`. */
async function images(
  cluster: ClusterClient,
  { service, namespace }: ServiceName,
): Promise<Readonly<Record<string, string>>> {
  const { items } = await cluster.apps.listNamespacedDeployment({
    namespace,
    labelSelector: `app=${service}`,
  });
  return Object.fromEntries(
    items.flatMap(({ spec }) => {
      const version = spec?.template.metadata?.labels?.["version"];
      const image = spec?.template.spec?.containers.find(({ name }) => name === service)?.image;
      return version !== undefined && image !== undefined ? [[version, image]] : [];
    }),
  );
}

/** How a service is routed, or undefined while it is not there. */
export async function readRoute(
  cluster: ClusterClient,
  name: ServiceName,
): Promise<DeployedRoute | undefined> {
  const virtualService: Promise<unknown> = cluster.custom.getNamespacedCustomObject({
    group: "networking.istio.io",
    version: "v1",
    plural: "virtualservices",
    namespace: name.namespace,
    name: name.service,
  });
  const [found, running] = await Promise.all([
    virtualService.catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    }),
    images(cluster, name),
  ]);
  return found === undefined ? undefined : deployedRoute(found, running);
}

/**
 * Reads what there is of the services in every cluster. A cluster that does not answer is part of the
 * result, not an error.
 */
export async function readDeployed(
  clusters: readonly ClusterClient[],
  services: readonly ServiceName[],
): Promise<readonly DeployedCluster[]> {
  return Promise.all(
    clusters.map(async (cluster): Promise<DeployedCluster> => {
      try {
        const routes = await Promise.all(
          services.map(async (name) => [serviceKey(name), await readRoute(cluster, name)] as const),
        );
        return {
          name: cluster.name,
          unreachable: undefined,
          routes: new Map(
            routes.flatMap(([key, route]) => (route === undefined ? [] : [[key, route] as const])),
          ),
        };
      } catch (error) {
        return { name: cluster.name, unreachable: explain(error), routes: new Map() };
      }
    }),
  );
}
