import type { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { findWorkload } from "../fleet/find-workload.ts";
import { clusterRouting } from "../fleet/routing/index.ts";
import { shareOf, type DeployedCluster } from "../lib/deployed.ts";
import { allOf } from "../lib/enumerate.ts";
import {
  absence,
  podsBeside,
  readyPodsOf,
  workloadObjections,
  type ExistingService,
  type FoundWorkload,
} from "../lib/existing.ts";
import type { Problem } from "../lib/problems.ts";
import type { AdoptedObjects } from "./adopted-objects.ts";
import type { ReleaseSettings } from "./config.ts";
import type { PlannedRoute, ReleasePlan } from "./release-plan.ts";
import { scopeIn } from "./routing-records.ts";
import { partlyThere, type PartlyThere } from "./some-clusters.ts";
import { existingService, isMade } from "./workload.ts";

/** What the clusters say of the services that others have made. */
interface ExistingFindings {
  /** What keeps an update from being made. */
  readonly problems: readonly Problem[];
  /** What does not yet. */
  readonly warnings: readonly Problem[];
  /** Pods of stable that can take requests, by route. */
  readonly stablePods: ReadonlyMap<PlannedRoute, number>;
}

/** The same of one cluster. */
interface PlaceFindings extends Omit<ExistingFindings, "stablePods"> {
  /** What the update would do to others' objects, to pods, or to requests: also one that lowers a weight must not. */
  readonly harm: readonly Problem[];
}

/** A route to a service that others have made, in a cluster that answers. */
interface Place {
  readonly cluster: ClusterClient;
  readonly route: PlannedRoute;
  readonly existing: ExistingService;
  /** Where the service is in the configuration: `services[0]`. */
  readonly path: string;
}

/** What others have made and the update takes over. */
type Adopted = Pick<AdoptedObjects, "idOf" | "problems">;

/** Pods that a message names at most. */
const NAMED = 3;

/** The program would remove what it has made, or make what others have. */
function switchedWorkload({ wanted, service, deployed, cluster }: PlannedRoute): Problem[] {
  if (!isMade(service) || !deployed?.existing) return [];
  return [
    {
      path: `${wanted.path}.workload`,
      value: service.workload,
      rule: `must stay existing: in ${cluster} the service's pods are somebody else's`,
      fix: "Take the service out of the config first, in an update of its own, and have the owner remove it.",
    },
  ];
}

/** Who else routes the service, before this program has any route to it. */
async function claimProblems(
  settings: ReleaseSettings,
  { cluster, route, path }: Place,
  adopted: Adopted | undefined,
): Promise<Problem[]> {
  const { deployed, service, key } = route;
  if (deployed?.existing) return [];
  const scope = scopeIn(settings, service, cluster.name);
  const adopts = service.adopt === true;
  const claims = adopts
    ? await clusterRouting.claims(cluster, scope, true)
    : await clusterRouting.claims(cluster, scope);
  if (claims.length > 0) {
    return [
      {
        path,
        rule: `must be routed by this program alone, but in ${cluster.name} ${allOf(claims)} routes ${key} or one of its hosts too`,
        fix: adopts
          ? `Have the owner remove it; what it did for the service has to be in this config. Only a VirtualService and a DestinationRule ${key} are adopted.`
          : `Have the owner remove it; what it did for the service has to be in this config. A VirtualService and a DestinationRule ${key} can be adopted (adopt: true).`,
      },
    ];
  }
  const ofOthers = { kind: "VirtualService", namespace: service.namespace, name: service.name };
  return deployed && adopted?.idOf(cluster.name, ofOthers) === undefined
    ? [
        {
          path: `${path}.workload`,
          value: service.workload,
          rule: `must stay made: in ${cluster.name} this program has made the pods, and would remove them`,
          fix: "Give the service that others make another name or namespace.",
        },
      ]
    : [];
}

/** Which versions are missing: of one that is to get requests it is a problem, of the other a warning. */
function versionFindings(
  { cluster: { name: cluster }, route, existing, path }: Place,
  found: FoundWorkload,
): PlaceFindings {
  const { deployed, wanted, key } = route;
  const { stable, canary, versionLabel } = existing;
  if (canary === undefined) {
    return { harm: leftOver(cluster, route, existing, found), problems: [], warnings: [] };
  }
  const about = (role: "stable" | "canary", version: string): Problem[] => {
    const missing = absence(existing, found, version);
    return missing === undefined
      ? []
      : [
          {
            path: `${path}.${role}.version`,
            value: version,
            rule: `must be ready in every cluster before routes send it requests: of Service ${key} in ${cluster} ${missing}`,
            fix: `Have the owner deploy it there, with the label ${versionLabel}: ${version}.`,
          },
        ];
  };
  const isRise = deployed !== undefined && shareOf(deployed, canary) < wanted.weight;
  const needed = {
    // While the canary rises, stable must be able to take everything back.
    stable: isRise || wanted.weight < 100,
    canary: wanted.weight > 0,
  };
  const of = { stable: about("stable", stable), canary: about("canary", canary) };
  return {
    harm: [],
    problems: [...(needed.stable ? of.stable : []), ...(needed.canary ? of.canary : [])],
    warnings: [...(needed.stable ? [] : of.stable), ...(needed.canary ? [] : of.canary)],
  };
}

/** Pods that would get requests again, once routes name no version any more. */
function leftOver(
  cluster: string,
  { deployed, key, wanted }: PlannedRoute,
  existing: ExistingService,
  found: FoundWorkload,
): Problem[] {
  if (!deployed || deployed.unnamed) return [];
  const others = podsBeside(existing, found, [existing.stable]);
  if (others.length === 0) return [];
  const versions = [
    ...new Set(others.map(({ labels }) => labels[existing.versionLabel] ?? "none")),
  ].sort();
  const named = others.slice(0, NAMED).map(({ name }) => name);
  return [
    {
      path: `${wanted.path}.canary`,
      rule: `must stay while Service ${key} in ${cluster} selects pods of other versions than ${existing.stable}: without a canary routes name no version, and ${versions.join(", ")} would get requests (${named.join(", ")}${others.length > NAMED ? ` and ${others.length - NAMED} more` : ""})`,
      fix: "Have the owner remove these pods first.",
    },
  ];
}

/** Whether the update leaves the versions and the weight of routes to others' pods as they are. */
function staysAsItIs({ deployed, wanted, rises, falls, service }: PlannedRoute): boolean {
  return (
    deployed?.existing === true &&
    !rises &&
    !falls &&
    deployed.canary === service.canary?.version &&
    (deployed.unnamed === true || deployed.stable === wanted.stable)
  );
}

async function findingsIn(
  settings: ReleaseSettings,
  place: Place,
  adopted: Adopted | undefined,
): Promise<PlaceFindings & { readonly pods?: number; readonly stablePods?: number }> {
  const { cluster, existing, path } = place;
  try {
    const [found, claims] = await Promise.all([
      findWorkload(cluster, existing),
      claimProblems(settings, place, adopted),
    ]);
    const objections = workloadObjections(existing, found, cluster.name).map(
      ({ key, isOfPods = false, ...objection }) => ({
        // A pod that the owner has just made must not keep a change of another service waiting.
        waits: !(isOfPods && staysAsItIs(place.route)),
        problem: { path: `${path}.${key}`, ...objection },
      }),
    );
    const versions = versionFindings(place, found);
    const about = (waits: boolean) =>
      objections.filter((each) => each.waits === waits).map(({ problem }) => problem);
    return {
      harm: [...claims, ...versions.harm],
      problems: [...about(true), ...versions.problems],
      warnings: [...about(false), ...versions.warnings],
      pods: found.pods.length,
      stablePods: readyPodsOf(existing, found, existing.stable).length,
    };
  } catch (error) {
    const problem = {
      path,
      rule: `must be readable in ${cluster.name}: ${explain(error)}`,
      fix: "Give the kubeconfig's user the rights that docs/permissions.md lists.",
    };
    return { harm: [], problems: [problem], warnings: [] };
  }
}

/**
 * What the clusters say of the services that others have made. An update that lowers a weight goes on whatever they lack:
 * only what it would harm stops it.
 *
 * @param adopted what others have made and the update takes over. @default nothing
 */
export async function existingFindings(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
  deployed: readonly DeployedCluster[],
  plan: ReleasePlan,
  adopted?: Adopted,
): Promise<ExistingFindings> {
  const places = plan.routes.flatMap((route): Place[] => {
    const existing = existingService(route.service);
    const cluster = clusters.find(({ name }) => name === route.cluster);
    const answers = deployed.some(
      ({ name, unreachable }) => name === route.cluster && unreachable === undefined,
    );
    return existing && cluster && answers
      ? [{ cluster, route, existing, path: route.wanted.path }]
      : [];
  });
  const found = await Promise.all(places.map((place) => findingsIn(settings, place, adopted)));
  const harm = [
    ...plan.routes.flatMap(switchedWorkload),
    ...(adopted?.problems ?? []),
    ...found.flatMap((each) => each.harm),
  ];
  const partly = partlyThere(
    places.map(({ cluster, path, route }, i) => {
      return { cluster: cluster.name, path, key: route.key, pods: found[i]?.pods };
    }),
  );
  /** What is missing in a cluster that has none of it at all says no more than that. */
  const isSaid = ({ cluster, path }: Place) =>
    partly.some((each) => each.path === path && each.without.includes(cluster.name));
  const told = places.flatMap((place, i) => (isSaid(place) ? [] : (found[i] ?? [])));
  // Without a canary, routes to all pods do no harm.
  const isRefused = ({ path, without }: PartlyThere) =>
    places.some(
      (place, i) =>
        place.path === path &&
        without.includes(place.cluster.name) &&
        (found[i]?.problems.length ?? 0) > 0,
    );
  const partlyTold = (refused: boolean) =>
    partly.filter((each) => isRefused(each) === refused).map(({ problem }) => problem);
  const problems = [...partlyTold(true), ...told.flatMap((each) => each.problems)];
  const warnings = [...partlyTold(false), ...told.flatMap((each) => each.warnings)];
  const stablePods = new Map(
    places.flatMap(({ route }, i) => {
      const pods = found[i]?.stablePods;
      return pods === undefined ? [] : [[route, pods] as const];
    }),
  );
  return plan.routes.some(({ falls }) => falls)
    ? { problems: harm, warnings: [...problems, ...warnings], stablePods }
    : { problems: [...harm, ...problems], warnings, stablePods };
}
