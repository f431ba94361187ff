import { canaryRouteObjects, type CanaryRouteObjects } from "../components/index.ts";
import { neededFor, type Needed } from "../lib/capacity.ts";
import { isTakenBack } from "../lib/chain-rules.ts";
import { replacesAnnotation, type DeployedCluster, type DeployedRoute } from "../lib/deployed.ts";
import type { ChainRole } from "../lib/mark.ts";
import { crossClusterHost, serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import {
  clustersBehind,
  isToFall,
  isToRise,
  rebuiltServices,
  releaseProblems,
  wantedIn,
  weightIn,
  type WantedRoute,
} from "../lib/release-rules.ts";
import { decideWeight, takenBack, type Journals } from "../lib/taken-back.ts";
import { placeIn } from "./chain.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";
import { withThoseBehind, type Kept } from "./kept-versions.ts";
import { namedClusters } from "./named-clusters.ts";
import { releaseName } from "./judged.ts";
import { wantedBy } from "./wanted.ts";
import { ingressOf } from "./ingress.ts";
import { existingOf, policiesOf, portsOf } from "./workload.ts";

/** How one service is routed in one cluster, and how it is to be. */
export interface PlannedRoute {
  readonly cluster: string;
  readonly service: ServiceSettings;
  /** The service, as `namespace/service`. */
  readonly key: string;
  /** What the cluster is to have. */
  readonly wanted: WantedRoute;
  /** @default it has no VirtualService of the service yet, or does not answer */
  readonly deployed: DeployedRoute | undefined;
  /** What is registered. */
  readonly objects: CanaryRouteObjects;
  /**
   * What happens to the canary's share. One that both rises and falls has hosts with different shares, of which
   * somebody has changed one: what is too high falls at once, and the rest rises as any weight does.
   */
  readonly rises: boolean;
  readonly falls: boolean;
  /** In a chain the routes of one role change after all of the other's. */
  readonly isSecond: boolean;
  /** Whether the cluster has fallen behind the others, and gets their versions in one step; see isBehind. */
  readonly catchesUp: boolean;
  /**
   * What the service needs for all requests; of one that others have made, what is noted of it. @default no canary serves
   * or is about to, or nobody knows
   */
  readonly needed?: Needed | undefined;
}

/** VirtualServices that somebody has deleted; see DeletedObjects. */
interface DeletedRoutes {
  lacksRoute(cluster: string, key: string): boolean;
  /** What the annotation REPLACES says of those that are made anew. */
  readonly replaces: string;
  /** Whether Pulumi is shown a difference: a preview of what is not there would fail. */
  readonly isShown: boolean;
}

/** The way from what is deployed to what is configured, decided once and before anything is done. */
export interface ReleasePlan {
  /** Each service in each cluster. */
  readonly routes: readonly PlannedRoute[];
  /** The services of a chain whose routes change before the others'. */
  readonly firstRole: ChainRole;
  /** What stays for the sake of clusters that are away, or are not equal to the others yet. @default nothing */
  readonly kept?: Kept | undefined;
  /** Percent that the canaries are to have: what is configured, unless they were taken back and stay as they are. */
  readonly weight: number;
  /** Why that is not what is configured. @default it is */
  readonly warning?: string | undefined;
  /** What guards have said of the canaries that is to count no more before they rise; see failureId. @default they were not taken back */
  readonly forgives?: readonly string[] | undefined;
  /** Routes that are made without the weight that is configured: the next update raises it. */
  readonly made: readonly Pick<PlannedRoute, "key" | "cluster">[];
  /** Services whose pods are rolled cluster by cluster, as `namespace/service`. */
  readonly rolled: readonly string[];
  /** Canaries that were taken back, and why; see takenBack. */
  readonly failed: Readonly<Record<string, string>>;
  /** Rules that this way would break. */
  readonly problems: readonly Problem[];
}

/**
 * Whether a route is one that others have made and that is to be adopted. It stays as it is: nothing is lowered, and
 * nothing rises, before it is the program's.
 */
export function isForeign(service: ServiceSettings, route: DeployedRoute | undefined): boolean {
  return service.adopt === true && route !== undefined && route.existing !== true;
}

/** What is deployed, with those rules of others that name no version as the program would read its own. */
function read(
  deployed: readonly DeployedCluster[],
  { services }: ReleaseSettings,
): readonly DeployedCluster[] {
  return deployed.map((cluster) => ({
    ...cluster,
    routes: new Map(
      [...cluster.routes].map(([key, route]) => {
        const service = services.find(
          ({ name, namespace }) => serviceKey({ service: name, namespace }) === key,
        );
        return service && isForeign(service, route) && route.stable === ""
          ? [key, { ...route, stable: service.stable.version, unnamed: true as const }]
          : [key, route];
      }),
    ),
  }));
}

/**
 * Plans the way from what is deployed to what is configured. It has no effect of its own.
 *
 * @param journals what updates, rollouts and guards have noted. @default nothing
 * @param stack the stack's name
 * @param deleted VirtualServices that somebody has deleted. @default none
 */
export function planRelease(
  configured: ReleaseSettings,
  found: readonly DeployedCluster[],
  journals: Journals = new Map(),
  stack = "",
  deleted: DeletedRoutes = { lacksRoute: () => false, replaces: "", isShown: false },
): ReleasePlan {
  const deployed = read(found, configured);
  const asked = { stack, release: releaseName(configured) };
  const decision = decideWeight(deployed, wantedBy(configured), journals, asked);
  const weight = decision.do === "keep" ? decision.weight : configured.weight;
  const wanted = wantedBy({ ...configured, weight });
  const kept = withThoseBehind(configured.kept, configured.services, deployed, wanted);
  const settings = { ...configured, weight, kept };
  const firstRole = isTakenBack(deployed, wanted) ? "entry" : "follower";
  const made: Pick<PlannedRoute, "key" | "cluster">[] = [];
  const routes = settings.services.flatMap((service): PlannedRoute[] => {
    const key = serviceKey({ service: service.name, namespace: service.namespace });
    const route = wanted.routes.find((each) => each.key === key);
    if (!route) throw new Error(`the configuration wants nothing of ${key}`);
    const behind = clustersBehind(deployed, wanted, route);
    return settings.clusters.map(({ name: cluster }) => {
      const configuredHere = wantedIn(wanted, route, cluster);
      const about = deployed.find(({ name }) => name === cluster);
      const now = about?.routes.get(key);
      // A route is made without weight: what gives the canary requests passes all checks, as in any other cluster.
      const isGone = deleted.lacksRoute(cluster, key);
      const isNew =
        about !== undefined &&
        about.unreachable === undefined &&
        now === undefined &&
        (!isGone || deleted.isShown);
      const here = isNew ? { ...configuredHere, weight: 0 } : configuredHere;
      if (here.weight !== configuredHere.weight) made.push({ key, cluster });
      return {
        cluster,
        service,
        key,
        wanted: here,
        deployed: now,
        objects: routeObjects(
          isNew ? { ...settings, weight: 0 } : settings,
          service,
          cluster,
          here,
          isGone && deleted.isShown ? deleted.replaces : replacesAnnotation(now, here),
        ),
        rises: now !== undefined && !isForeign(service, now) && isToRise(now, here),
        falls: now !== undefined && !isForeign(service, now) && isToFall(now, here),
        isSecond: route.role !== undefined && route.role !== firstRole,
        catchesUp: behind.includes(cluster),
        needed: neededFor(now, journals.get(cluster) ?? [], {
          key,
          service: service.name,
          stable: here.stable,
          canary: here.canary,
          weight: weightIn(settings, cluster),
          served: servedIn(deployed, cluster, now),
        }),
      };
    });
  });
  const problems = releaseProblems(deployed, wanted);
  return {
    routes,
    firstRole,
    kept,
    weight,
    warning: decision.do === "keep" ? decision.warning : undefined,
    forgives: decision.do === "carry out" ? decision.forgives : undefined,
    made,
    rolled: rebuiltServices(deployed, wanted),
    failed: takenBack(deployed, wanted, journals, asked),
    problems: decision.do === "refuse" ? [decision.problem, ...problems] : problems,
  };
}

/** Percent that a service's canary has in a cluster: of a chain's follower, what its entries mark there. */
function servedIn(
  deployed: readonly DeployedCluster[],
  cluster: string,
  route: DeployedRoute | undefined,
): number {
  if (route?.role !== "follower") return route?.weight ?? 0;
  const routes = deployed.find(({ name }) => name === cluster)?.routes.values() ?? [];
  return Math.max(0, ...[...routes].map(({ role, weight }) => (role === "entry" ? weight : 0)));
}

function routeObjects(
  settings: ReleaseSettings,
  service: ServiceSettings,
  cluster: string,
  wanted: WantedRoute,
  replaces: string | undefined,
): CanaryRouteObjects {
  const { mesh, clusters, ingressGateway, kept } = settings;
  const id = { service: service.name, namespace: service.namespace };
  const key = serviceKey(id);
  const hostVersions = Object.entries(kept?.hosts ?? {}).flatMap(([name, versions]) => {
    const version = versions[key];
    return version === undefined ? [] : [[crossClusterHost(id, name), version] as const];
  });
  const chain = placeIn(settings, service);
  return canaryRouteObjects({
    ...id,
    stable: wanted.stable,
    canary: wanted.canary,
    // A follower has the share of what the entries mark, though its own weights are 0.
    weight: weightIn(settings, cluster),
    matches: service.matches,
    chain,
    timeout: service.timeout,
    retries: service.retries,
    corsPolicy: service.corsPolicy,
    mirrorPercent: service.mirrorPercent,
    crossClusterHosts: namedClusters(settings, cluster).map((name) => crossClusterHost(id, name)),
    ...(hostVersions.length > 0 && { hostVersions: Object.fromEntries(hostVersions) }),
    kept: kept?.versions[key],
    ingress: ingressOf(service, ingressGateway),
    clusterDomain: mesh.clusterDomain,
    contexts: clusters.map(({ context }) => context),
    replaces,
    existing: existingOf(service),
    policies: policiesOf(service),
    ports: portsOf(service),
  });
}
