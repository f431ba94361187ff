import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  CanaryRoute,
  canaryRouteManifest,
  CanaryWorkload,
  CrossClusterServiceEntry,
  type CanaryRouteArgs,
} from "../components/index.ts";
import { serviceKey } from "../fleet/read-deployed.ts";
import { crossClusterHost, virtualAddresses } from "../lib/names.ts";
import { weightIn } from "../lib/release-rules.ts";
import { placeIn, roleIn } from "./chain.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import type { MeshCluster } from "./mesh.ts";
import { joinHooks, type RoutingRecords } from "./routing-records.ts";
import type { WeightChange } from "./weight-change.ts";

/** Percent of requests by version, by `namespace/service`, by cluster. */
export type Traffic = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>
>;

/**
 * Runs the services in every cluster and routes them by one weight. The order is what makes a change
 * safe: all versions ready in all clusters, then the subsets in all clusters, then the weights. A
 * gateway only knows the subsets of its own cluster's rule, so the far one must have them first.
 *
 * @param change what watches over the weights. @default nothing
 * @param records what records the routing of each state. @default nothing
 */
export function releaseServices(
  settings: ReleaseSettings,
  clusters: readonly MeshCluster[],
  change?: WeightChange,
  records?: RoutingRecords,
): Traffic {
  const namespaces = new Map(
    clusters.map((cluster) => [cluster.name, makeNamespaces(settings, cluster)]),
  );
  const addresses = virtualAddresses(
    settings.services.flatMap(({ name: service, namespace }) =>
      clusters.map((cluster) => crossClusterHost({ service, namespace }, cluster.name)),
    ),
  );
  const traffic: Record<string, Record<string, Readonly<Record<string, number>>>> = {};
  // Every weight waits for the rules of all services, which are only there once the last one is made.
  const rules = Promise.withResolvers<readonly pulumi.Resource[]>();
  const madeRules: pulumi.Resource[] = [];
  const rulesInPlace = rules.promise.then(inPlace);
  // In a chain the routes of one role also wait for all of the other's.
  const first = change?.firstRole ?? "follower";
  const firstRoutes = Promise.withResolvers<readonly pulumi.Resource[]>();
  const madeFirst: pulumi.Resource[] = [];
  const common = { settings, clusters, namespaces, addresses, change, records };
  for (const service of settings.services) {
    const role = roleIn(settings.chain, service);
    const before = role === undefined || role === first ? Promise.resolve([]) : firstRoutes.promise;
    const own = Promise.withResolvers<readonly pulumi.Resource[]>();
    const weightsAfter = Promise.all([own.promise, before, rulesInPlace]).then(
      ([ownRules, routesBefore]) => [...ownRules, ...routesBefore],
    );
    const { routes, entries } = releaseService({ ...common, weightsAfter }, service);
    const made = [...routes.values(), ...entries].map((each) => each.destinationRule);
    own.resolve(made);
    madeRules.push(...made);
    if (role === first) {
      madeFirst.push(...[...routes.values()].map(({ virtualService }) => virtualService));
    }
    for (const [cluster, { shares }] of routes) {
      traffic[cluster] = {
        ...traffic[cluster],
        [serviceKey({ service: service.name, namespace: service.namespace })]: shares,
      };
    }
  }
  rules.resolve(madeRules);
  firstRoutes.resolve(madeFirst);
  return traffic;
}

/**
 * Waits in the program until the resources are in place. Pulumi's state would list them as dependencies of every
 * VirtualService, which grows with the square of the services.
 *
 * @throws if one of them fails
 */
async function inPlace(resources: readonly pulumi.Resource[]): Promise<void> {
  const urns = pulumi.all(resources.map(({ urn }) => urn));
  await new Promise<void>((resolve, reject) => {
    pulumi.recover(
      urns.apply(() => {
        resolve();
      }),
      reject,
    );
  });
}

type Namespaces = ReadonlyMap<string, ReadonlyMap<string, k8s.core.v1.Namespace>>;

function makeNamespaces({ services }: ReleaseSettings, { name, provider }: MeshCluster) {
  const names = [...new Set(services.map(({ namespace }) => namespace))];
  return new Map(
    names.map((namespace) => [
      namespace,
      new k8s.core.v1.Namespace(
        `${namespace}-${name}`,
        { metadata: { name: namespace, labels: { "istio-injection": "enabled" } } },
        { provider },
      ),
    ]),
  );
}

/** What all services have in common. */
interface Common {
  readonly settings: ReleaseSettings;
  readonly clusters: readonly MeshCluster[];
  readonly namespaces: Namespaces;
  /** Virtual addresses of the hosts that name a cluster. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly change: WeightChange | undefined;
  readonly records: RoutingRecords | undefined;
  readonly weightsAfter: Promise<readonly pulumi.Resource[]>;
}

function releaseService(
  { settings, clusters, namespaces, addresses, change, records, weightsAfter }: Common,
  service: ServiceSettings,
) {
  const { mesh } = settings;
  const { namespace, stable, canary } = service;
  const versions = canary ? [stable, canary] : [stable];
  const id = { service: service.name, namespace };
  const key = `${service.name}.${namespace}`;

  const workloads = clusters.map((cluster) => {
    const home = namespaces.get(cluster.name)?.get(namespace);
    return new CanaryWorkload(
      `${key}-${cluster.name}`,
      {
        ...id,
        cluster: cluster.name,
        environment: mesh.env,
        port: service.port,
        versions,
        args: service.args,
        env: service.env,
        healthPath: service.healthPath,
        resources: service.resources,
        user: service.user,
      },
      {
        providers: { kubernetes: cluster.provider },
        dependsOn: [...(home ? [home] : []), ...cluster.ready],
      },
    );
  });
  const deployments = workloads.flatMap((workload) => workload.deployments);

  const entries = clusters.flatMap((cluster) =>
    clusters
      .filter((other) => other !== cluster)
      .map((other) => {
        const host = crossClusterHost(id, other.name);
        return new CrossClusterServiceEntry(
          `${key}-${other.name}-from-${cluster.name}`,
          {
            ...id,
            cluster: other.name,
            gatewayAddresses: other.eastWestAddresses,
            virtualAddress: addresses.get(host) ?? "",
            versions: versions.map(({ version }) => version),
            trustDomain: mesh.trustDomain,
            clusterDomain: mesh.clusterDomain,
          },
          { providers: { kubernetes: cluster.provider }, dependsOn: deployments },
        );
      }),
  );

  const routes = new Map(
    clusters.map((cluster) => {
      const args: CanaryRouteArgs = {
        ...id,
        stable: stable.version,
        canary: canary?.version,
        weight: weightIn(settings, cluster.name),
        matches: service.matches,
        chain: placeIn(settings, service),
        timeout: service.timeout,
        retries: service.retries,
        mirrorPercent: service.mirrorPercent,
        crossClusterHosts: clusters
          .filter((other) => other !== cluster)
          .map((other) => crossClusterHost(id, other.name)),
        ingress: cluster.ingress && {
          gateway: cluster.ingress.gateway,
          hosts: service.ingressHosts,
        },
        clusterDomain: mesh.clusterDomain,
        contexts: settings.clusters.map(({ context }) => context),
        weightsAfter,
        replaces: change?.replaces(cluster.name, serviceKey(id)),
        hooks: joinHooks(
          change?.hooks(cluster.name, serviceKey(id)),
          records?.hooks(cluster.name, service),
        ),
      };
      change?.declare(cluster.name, serviceKey(id), canaryRouteManifest(args).spec.http);
      const route = new CanaryRoute(`${key}-route-${cluster.name}`, args, {
        providers: { kubernetes: cluster.provider },
        dependsOn: deployments,
      });
      change?.registered(cluster.name, serviceKey(id), route.virtualService);
      return [cluster.name, route] as const;
    }),
  );
  return { routes, entries };
}
