import pRetry from "p-retry";
import type { DeployedCluster, DeployedRoute } from "../lib/deployed.ts";
import { serviceKey, type ServiceName } from "../lib/names.ts";
import type { AskedService } from "../lib/routing/routing.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { explain, wasClosed } from "./explain.ts";
import { allPages } from "./pages.ts";
import { podsIn } from "./read-pods.ts";
import { clusterRouting } from "./routing/index.ts";

/** Services that one label selector names at most, so that a URL stays short enough for every proxy. */
const NAMED_AT_ONCE = 50;

/** What a service's Deployments say, by the label `version` of their pods. */
type Workloads = Pick<DeployedRoute, "images" | "pods" | "replicas">;

/** What the services' Deployments say, by `namespace/service`. */
async function workloadsOf(
  cluster: ClusterClient,
  services: readonly ServiceName[],
): Promise<ReadonlyMap<string, Workloads>> {
  const lists = [...Map.groupBy(services, ({ namespace }) => namespace)].flatMap(
    ([namespace, all]) =>
      Array.from({ length: Math.ceil(all.length / NAMED_AT_ONCE) }, (_, i) => ({
        namespace,
        names: all.slice(i * NAMED_AT_ONCE, (i + 1) * NAMED_AT_ONCE).map(({ service }) => service),
      })),
  );
  const found = await Promise.all(
    lists.map(async ({ namespace, names }) => {
      const labelSelector = `app in (${names.join(",")})`;
      const deployments = await allPages((page) =>
        cluster.apps.listNamespacedDeployment({ namespace, labelSelector, ...page }),
      );
      return deployments.flatMap((deployment) => {
        const { metadata, spec } = deployment;
        const service = metadata?.labels?.["app"] ?? "";
        const version = spec?.template.metadata?.labels?.["version"];
        const image = spec?.template.spec?.containers.find(({ name }) => name === service)?.image;
        return version !== undefined && image !== undefined
          ? [
              {
                key: serviceKey({ service, namespace }),
                version,
                image,
                pods: podsIn(deployment, service),
                replicas: spec?.replicas ?? 1,
              },
            ]
          : [];
      });
    }),
  );
  return new Map(
    [...Map.groupBy(found.flat(), ({ key }) => key)].map(([key, own]) => [
      key,
      {
        images: Object.fromEntries(own.map(({ version, image }) => [version, image])),
        pods: Object.fromEntries(
          own.flatMap(({ version, pods }) => (pods ? [[version, pods]] : [])),
        ),
        replicas: Object.fromEntries(own.map(({ version, replicas }) => [version, replicas])),
      },
    ]),
  );
}

/** How the services are routed, by `namespace/service`; those that are not there yet are left out. */
async function readRoutes(
  cluster: ClusterClient,
  services: readonly AskedService[],
): Promise<ReadonlyMap<string, DeployedRoute>> {
  const [found, workloads] = await Promise.all([
    clusterRouting.read(cluster, services),
    workloadsOf(cluster, services),
  ]);
  return new Map(
    found.map(({ route, ...name }) => {
      const key = serviceKey(name);
      return [key, { ...route, images: {}, ...workloads.get(key) }];
    }),
  );
}

/** How a service is routed, or undefined while it is not there. */
export async function readRoute(
  cluster: ClusterClient,
  name: AskedService,
): Promise<DeployedRoute | undefined> {
  return (await readRoutes(cluster, [name])).get(serviceKey(name));
}

/**
 * Reads what there is of the services in every cluster. A cluster that does not answer is part of the
 * result, not an error.
 */
export async function readDeployed(
  clusters: readonly ClusterClient[],
  services: readonly AskedService[],
): Promise<readonly DeployedCluster[]> {
  return Promise.all(
    clusters.map(async (cluster): Promise<DeployedCluster> => {
      const { name } = cluster;
      try {
        const routes = await pRetry(() => readRoutes(cluster, services), {
          ...{ retries: 1, minTimeout: 0 },
          shouldRetry: ({ error }) => wasClosed(error),
        });
        return { name, unreachable: undefined, routes };
      } catch (error) {
        return { name, unreachable: explain(error), routes: new Map() };
      }
    }),
  );
}
