import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { CanaryRoute, CanaryWorkload, CrossClusterServiceEntry } from "../components/index.ts";
import { crossClusterHost, crossClusterName, serviceKey, virtualAddresses } from "../lib/names.ts";
import { podSecurityLabels } from "../lib/manifests/pod-security.ts";
import { weightIn } from "../lib/release-rules.ts";
import { DEFAULT_REVISION, injectionLabel, labelledWith, revisionOf } from "../lib/revisions.ts";
import { autoscalingOf, minPods } from "./autoscaling.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { namedClusters } from "./named-clusters.ts";
import type { DeletedObjects } from "./deleted-objects.ts";
import type { SharedNamespaces } from "./shared-namespaces.ts";
import type { Registration } from "./left-out.ts";
import type { MeshCluster } from "./mesh.ts";
import { installGuards } from "./release-guard.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { configOf } from "./version-config.ts";
import { existingOf, isMade, policiesOf, portsOf, type MadeService } from "./workload.ts";

/** Percent of requests by version, by `namespace/service`, by cluster. */
export type Traffic = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>
>;

/** What of a release is known only when the program runs. */
interface ReleaseOptions {
  /** What has to happen around Pulumi's change of a route's VirtualService. @default nothing */
  readonly hooks?: (route: PlannedRoute) => pulumi.ResourceHookBinding | undefined;
  /** The same around its change of the Deployment of a version. @default nothing */
  readonly workloadHooks?: (
    cluster: string,
    service: ServiceSettings,
    version: string,
  ) => pulumi.ResourceHookBinding | undefined;
  /** How a routing object of a cluster is registered. @default as it is */
  readonly remade?: DeletedObjects["remade"];
  /** Whether a namespace stays in a cluster when its last service goes. @default none does */
  readonly stays?: SharedNamespaces["stays"];
  /** Addresses of the east-west gateways of clusters that are away, by name. @default none is away */
  readonly absent?: ReadonlyMap<string, readonly string[]>;
  /** Whether the pods of a namespace get another revision of Istio: they are rolled cluster by cluster. @default none do */
  readonly moves?: (namespace: string) => boolean;
}

type Known = Required<ReleaseOptions>;

/** What was registered. */
export interface Release {
  readonly traffic: Traffic;
  readonly registrations: readonly Registration[];
  /** Resolves when nothing stands before the registration of the VirtualServices any more, or it has failed. */
  readonly rulesSettled: Promise<void>;
}

/**
 * Runs the services in every cluster and routes them as planned. The order is what makes a change safe:
 * all versions ready in all clusters, then the subsets in all clusters, then the weights. A gateway only
 * knows the subsets of its own cluster's rule, so the far one must have them first.
 *
 * @param clusters that are not away
 */
export function releaseServices(
  settings: ReleaseSettings,
  clusters: readonly MeshCluster[],
  plan: ReleasePlan,
  {
    hooks = () => undefined,
    workloadHooks = () => undefined,
    remade = () => ({}),
    stays = () => false,
    absent = new Map(),
    moves = () => false,
  }: ReleaseOptions = {},
): Release {
  const namespaces = new Map(
    clusters.map((cluster) => [cluster.name, makeNamespaces(settings, cluster, stays)]),
  );
  const addresses = virtualAddresses(
    settings.services.flatMap(({ name: service, namespace }) =>
      settings.clusters.map((cluster) => crossClusterHost({ service, namespace }, cluster.name)),
    ),
  );
  // Every weight waits for the rules of all services, which are only there once the last one is made.
  const rules = Promise.withResolvers<readonly pulumi.Resource[]>();
  const rulesInPlace = rules.promise.then(inPlace);
  // In a chain the routes of one role also wait for all of the other's.
  const firstRoutes = Promise.withResolvers<readonly pulumi.Resource[]>();
  const common = {
    ...{ settings, clusters, absent, namespaces, addresses, hooks, workloadHooks, remade },
  };
  const released = settings.services.map((service) => {
    const routes = plan.routes.filter((route) => route.service === service);
    const own = Promise.withResolvers<readonly pulumi.Resource[]>();
    const before = routes.some(({ isSecond }) => isSecond)
      ? firstRoutes.promise
      : Promise.resolve([]);
    const weightsAfter = Promise.all([own.promise, before, rulesInPlace]).then(
      ([ownRules, routesBefore]) => [...ownRules, ...routesBefore],
    );
    const isRolled =
      moves(service.namespace) || routes.some(({ key }) => plan.rolled.includes(key));
    const made = releaseService({ ...common, weightsAfter }, service, routes, isRolled);
    own.resolve(made.rules);
    return made;
  });
  const registrations = released.flatMap((each) => each.registrations);
  const guards = installGuards(
    settings,
    clusters,
    new Map([...namespaces].map(([cluster, own]) => [cluster, [...own.values()]])),
    // No weight waits for a guard, nor for a cluster that refuses one.
    inPlace(registrations.map(({ weights }) => weights)).catch(() => undefined),
  );
  // A guard must know of the next release before a weight of it rises, or it could take it for the last one.
  rules.resolve([...released.flatMap((each) => each.rules), ...(guards?.files ?? [])]);
  firstRoutes.resolve(
    registrations.flatMap(({ route, weights }) => (route.isSecond ? [] : [weights])),
  );
  const rulesSettled = rulesInPlace.catch(() => undefined);
  return { traffic: trafficOf(plan), registrations, rulesSettled };
}

function trafficOf({ routes }: ReleasePlan): Traffic {
  return Object.fromEntries(
    [...Map.groupBy(routes, ({ cluster }) => cluster)].map(([cluster, own]) => [
      cluster,
      Object.fromEntries(own.map(({ key, objects }) => [key, objects.shares])),
    ]),
  );
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

/** The revision or tag that a namespace is labelled with in a cluster; of others' Istio it is the one that was found. */
function labelIn({ dataPlane = [] }: ReleaseSettings, cluster: MeshCluster, namespace: string) {
  return cluster.revision ?? labelledWith(dataPlane, cluster.name, namespace);
}

/** The revision that is to inject the pods of a namespace; undefined if nothing rolls them for it. */
function injectorIn(settings: ReleaseSettings, cluster: MeshCluster, namespace: string) {
  if (cluster.revision !== undefined) return undefined;
  const revision = revisionOf(labelIn(settings, cluster, namespace), cluster.tags);
  return revision === DEFAULT_REVISION ? undefined : revision;
}

function makeNamespaces(settings: ReleaseSettings, cluster: MeshCluster, stays: Known["stays"]) {
  const { mesh, services } = settings;
  const { name, provider } = cluster;
  const names = [...new Set(services.filter(isMade).map(({ namespace }) => namespace))];
  return new Map(
    names.map((namespace) => [
      namespace,
      new k8s.core.v1.Namespace(
        `${namespace}-${name}`,
        {
          metadata: {
            name: namespace,
            labels: {
              ...injectionLabel(labelIn(settings, cluster, namespace)),
              ...podSecurityLabels(mesh.podSecurity),
            },
          },
        },
        { provider, ...(stays(name, namespace) && { retainOnDelete: true }) },
      ),
    ]),
  );
}

/** What all services have in common. */
interface Common extends Pick<Known, "absent" | "hooks" | "remade" | "workloadHooks"> {
  readonly settings: ReleaseSettings;
  readonly clusters: readonly MeshCluster[];
  readonly namespaces: Namespaces;
  /** Virtual addresses of the hosts that name a cluster. */
  readonly addresses: ReadonlyMap<string, string>;
  /** What the weights wait for. */
  readonly weightsAfter: Promise<readonly pulumi.Resource[]>;
}

/** What was registered for one service. */
interface ReleasedService {
  /** The subsets of all its hosts in all clusters. */
  readonly rules: readonly pulumi.Resource[];
  readonly registrations: readonly Registration[];
}

/**
 * The Deployments of a service whose pods the program makes, and their autoscalers, in all clusters.
 *
 * @param isRolled whether each cluster's pods are ready before the next cluster's change
 */
function makeWorkloads(
  {
    settings,
    clusters,
    namespaces,
    workloadHooks,
  }: Pick<Common, "settings" | "clusters" | "namespaces" | "workloadHooks">,
  service: MadeService,
  planned: readonly PlannedRoute[],
  isRolled: boolean,
): readonly pulumi.Resource[] {
  const { name, namespace, stable, canary } = service;
  const workloads: CanaryWorkload[] = [];
  for (const cluster of clusters) {
    // Only in an update that needs it: otherwise all clusters are ready as soon as they can be.
    const before = isRolled ? (workloads.at(-1)?.deployments ?? []) : [];
    const home = namespaces.get(cluster.name)?.get(namespace);
    const least = minPods(
      planned.find((route) => route.cluster === cluster.name),
      weightIn(settings, cluster.name),
    );
    const revision = injectorIn(settings, cluster, namespace);
    const istiod = revision === undefined ? undefined : cluster.istiods?.get(revision);
    const version = (role: "stable" | "canary", of: MadeService["stable"]) => ({
      ...of,
      config: configOf(settings, service, of),
      minPods: least[role],
      hooks: workloadHooks(cluster.name, service, of.version),
    });
    const workload = new CanaryWorkload(
      `${name}.${namespace}-${cluster.name}`,
      {
        service: name,
        namespace,
        revision,
        cluster: cluster.name,
        environment: settings.mesh.env,
        ipFamilies: settings.mesh.ipFamilies,
        port: service.port,
        protocol: service.protocol,
        morePorts: service.morePorts,
        versions: [version("stable", stable), ...(canary ? [version("canary", canary)] : [])],
        autoscaling: autoscalingOf(service),
        args: service.args,
        env: service.env,
        healthPath: service.healthPath,
        accountAnnotations: service.accountAnnotations,
        metrics: service.metrics,
        resources: service.resources,
        user: service.user,
        template: service.template,
      },
      {
        providers: { kubernetes: cluster.provider },
        dependsOn: [
          ...(home ? [home] : []),
          ...cluster.ready,
          ...(istiod ? [istiod] : []),
          ...before,
        ],
      },
    );
    workloads.push(workload);
  }
  return workloads.flatMap(({ deployments, autoscalers }) => [...deployments, ...autoscalers]);
}

function releaseService(
  common: Common,
  service: ServiceSettings,
  planned: readonly PlannedRoute[],
  isRolled: boolean,
): ReleasedService {
  const { settings, clusters, absent, addresses, hooks, remade, weightsAfter } = common;
  const { mesh } = settings;
  const { namespace, stable, canary } = service;
  const versions = canary ? [stable, canary] : [stable];
  const id = { service: service.name, namespace };
  const key = `${service.name}.${namespace}`;

  const existing = existingOf(service);
  // What others have made is there before the program runs; the mesh may not be.
  const pods = isMade(service)
    ? makeWorkloads(common, service, planned, isRolled)
    : clusters.flatMap(({ ready }) => ready);

  const entries = clusters.flatMap((cluster) =>
    namedClusters(settings, cluster.name).map((other) => {
      const host = crossClusterHost(id, other);
      const name = crossClusterName(service.name, other);
      const { eastWestAddresses } = clusters.find((each) => each.name === other) ?? {};
      const entry = new CrossClusterServiceEntry(
        `${key}-${other}-from-${cluster.name}`,
        {
          ...id,
          cluster: other,
          gatewayAddresses: eastWestAddresses ?? absent.get(other) ?? [],
          isDrained: settings.closed?.includes(other),
          gatewayPort: settings.clusters.find((each) => each.name === other)?.eastWestPort,
          virtualAddress: addresses.get(host) ?? "",
          ipFamilies: mesh.ipFamilies,
          versions: [
            ...versions.map(({ version }) => version),
            ...(settings.kept?.versions[serviceKey(id)] ?? []),
          ],
          trustDomain: mesh.trustDomain,
          clusterDomain: mesh.clusterDomain,
          existing,
          entry: remade(cluster.name, { kind: "ServiceEntry", namespace, name }),
          rule: remade(cluster.name, { kind: "DestinationRule", namespace, name }),
          policies: policiesOf(service),
          ports: portsOf(service),
        },
        { providers: { kubernetes: cluster.provider }, dependsOn: [...pods] },
      );
      return entry.versions;
    }),
  );

  const routes = planned.flatMap((route) => {
    const cluster = clusters.find(({ name }) => name === route.cluster);
    if (!cluster) return [];
    const weights = remade(route.cluster, {
      ...{ kind: "VirtualService", namespace, name: service.name },
    });
    const made = new CanaryRoute(
      `${key}-route-${route.cluster}`,
      {
        objects: route.objects,
        weightsAfter,
        hooks: hooks(route),
        rule: remade(route.cluster, { kind: "DestinationRule", namespace, name: service.name }),
        ignoreChanges: weights.ignoreChanges,
        import: weights.import,
      },
      { providers: { kubernetes: cluster.provider }, dependsOn: [...pods] },
    );
    return [{ route, made }];
  });
  return {
    rules: [...routes.map(({ made }) => made.versions), ...entries],
    registrations: routes.map(({ route, made }) => ({
      route,
      weights: made.weights,
    })),
  };
}
