/** What an update may change of control planes, and of what they inject. Pure. */
import { allOf } from "./enumerate.ts";
import { exceptionFix, type Exception } from "./exceptions.ts";
import type { Problem } from "./problems.ts";
import { DEFAULT_REVISION, isOneStep, revisionOf, type Revision, type Tags } from "./revisions.ts";

/** A namespace's proxies of one revision. */
interface InjectedPods {
  readonly namespace: string;
  readonly revision: string;
  readonly pods: number;
}

/** What a cluster has. */
export interface FoundRevisions {
  /** The version of each istiod, by its revision; undefined if it does not tell. */
  readonly istiods: ReadonlyMap<string, string | undefined>;
  readonly tags: Tags;
  /** Namespaces with a label `istio.io/rev`, and what it says. */
  readonly labels: ReadonlyMap<string, string>;
  /** Deployments of the program, and which revision injects their pods. */
  readonly workloads: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly revision: string;
  }[];
  readonly proxies: readonly InjectedPods[];
}

/** What a cluster has, and is to have. */
export interface UpgradedCluster {
  readonly name: string;
  readonly found: FoundRevisions;
  /** The control planes. @default they are another stack's, and so are the tags */
  readonly revisions?: readonly Revision[] | undefined;
  readonly tags: Tags;
  /** The revision of each namespace that the program makes, and of each with gateways of it. */
  readonly namespaces: ReadonlyMap<string, string>;
}

/** A namespace whose pods are to get another revision. */
export interface Move {
  readonly cluster: string;
  readonly namespace: string;
  readonly from: string;
  readonly to: string;
}

/** A route's weight, as it is and as it is to be. */
export interface RouteWeight {
  readonly cluster: string;
  /** The service, as `namespace/service`. */
  readonly key: string;
  readonly deployed: number;
  readonly wanted: number;
}

/** The namespaces of a cluster whose pods this update replaces, for another revision. */
export function movesIn({ name, found, namespaces }: UpgradedCluster): readonly Move[] {
  return [...namespaces].flatMap(([namespace, to]) => {
    const from = found.workloads.find(
      (each) => each.namespace === namespace && each.revision !== to,
    )?.revision;
    return from === undefined ? [] : [{ cluster: name, namespace, from, to }];
  });
}

/** Tags that this update leads to another revision, where something may be injected by them. */
function ledElsewhere({
  found,
  tags,
}: UpgradedCluster): readonly (readonly [string, string, string])[] {
  return [...new Set([...Object.keys(found.tags), DEFAULT_REVISION])].flatMap((tag) => {
    const [from, to] = [revisionOf(tag, found.tags), revisionOf(tag, tags)];
    const isNew = tag === DEFAULT_REVISION && !found.istiods.has(from);
    return from === to || isNew || (to === tag && tag !== DEFAULT_REVISION)
      ? []
      : [[tag, from, to] as const];
  });
}

/** The version of the control plane without a revision, if this update changes it: `1.31.0`, and to which. */
function changedInPlace({
  found,
  revisions = [],
}: UpgradedCluster): readonly [string, string] | undefined {
  const from = found.istiods.get(DEFAULT_REVISION);
  const to = revisions.find(({ name }) => name === DEFAULT_REVISION)?.version;
  return from === undefined || to === undefined || from === to ? undefined : [from, to];
}

/** All that this update changes of what injects pods, in one cluster, in words. */
function changesIn(cluster: UpgradedCluster): readonly string[] {
  const versions = changedInPlace(cluster);
  return [
    ...(versions ? [`Istio from ${versions[0]} to ${versions[1]} in place`] : []),
    ...(cluster.revisions ? ledElsewhere(cluster) : []).map(
      ([tag, from, to]) => `tag ${tag} from ${from} to ${to}`,
    ),
    ...movesIn(cluster).map(
      ({ namespace, from, to }) => `namespace ${namespace} from ${from} to ${to}`,
    ),
  ];
}

/** Control planes and tags that are still needed. */
function removalProblems(cluster: UpgradedCluster): Problem[] {
  const { name, found, revisions, tags, namespaces } = cluster;
  if (!revisions) return [];
  const kept = new Set(revisions.map((each) => each.name));
  const removed = [...found.istiods.keys()].filter((revision) => !kept.has(revision));
  const names = new Set([...kept, ...Object.keys(tags)]);
  const gone = [...removed, ...Object.keys(found.tags)].filter((each) => !names.has(each));
  return [
    ...removed.flatMap((revision): Problem[] => {
      const used = found.proxies.filter((each) => each.revision === revision);
      const pods = used.reduce((sum, each) => sum + each.pods, 0);
      return pods === 0
        ? []
        : [
            {
              path: "mesh.revisions",
              rule: `must keep ${revision} in ${name}: ${pods} ${pods === 1 ? "pod has a proxy" : "pods have proxies"} of it, in ${allOf([...new Set(used.map(({ namespace }) => namespace))])}`,
              fix: "Move these namespaces to another revision first, and restart what is not the program's in them: kubectl rollout restart.",
            },
          ];
    }),
    ...[...new Set(gone)].flatMap((label): Problem[] => {
      const labelled = [...found.labels].flatMap(([namespace, of]) =>
        of === label && !namespaces.has(namespace) ? [namespace] : [],
      );
      return labelled.length === 0
        ? []
        : [
            {
              path: label in found.tags ? "mesh.tags" : "mesh.revisions",
              rule: `must keep ${label} in ${name}: ${labelled.length === 1 ? "namespace" : "namespaces"} ${allOf(labelled.sort())} ${labelled.length === 1 ? "has" : "have"} the label istio.io/rev=${label}, and new pods there would get no sidecar`,
              fix: "Label these namespaces with another revision or tag first.",
            },
          ];
    }),
  ];
}

/** Versions that Istio does not bring together, and revisions that would become others. */
function versionProblems({ name, found, revisions = [] }: UpgradedCluster): Problem[] {
  return revisions.flatMap((revision): Problem[] => {
    const is = found.istiods.get(revision.name);
    if (is !== undefined && is !== revision.version && revision.name !== DEFAULT_REVISION) {
      return [
        {
          path: "mesh.revisions",
          value: revision.version,
          rule: `must leave ${revision.name} the version ${is} that it has in ${name}: a revision is upgraded by another one beside it`,
          fix: "Add an entry with a name of its own for the new version.",
        },
      ];
    }
    const far = [...found.istiods].find(
      ([, version]) => version !== undefined && !isOneStep(version, revision.version),
    );
    return far
      ? [
          {
            path: revision.name === DEFAULT_REVISION ? "mesh.istioVersion" : "mesh.revisions",
            value: revision.version,
            rule: `must not skip a minor version of Istio, but ${far[0]} of ${name} is ${far[1] ?? ""}`,
            fix: "Upgrade to the minor version between them first.",
          },
        ]
      : [];
  });
}

/** Namespaces that would go where nothing waits for them. */
function targetProblems(cluster: UpgradedCluster): Problem[] {
  const { name, found, revisions } = cluster;
  if (!revisions || found.istiods.size === 0) return [];
  const targets = new Set([
    ...movesIn(cluster).map(({ to }) => to),
    ...ledElsewhere(cluster).map(([, , to]) => to),
  ]);
  return [...targets].flatMap((to) =>
    found.istiods.has(to)
      ? []
      : [
          {
            path: "mesh.revisions",
            rule: `must have ${to} in ${name} before anything is moved to it, and it is not there yet`,
            fix: "Run pulumi up with the revision alone. Move a namespace to it, or a tag, in the next update.",
          },
        ],
  );
}

function everywhereProblems(
  clusters: readonly UpgradedCluster[],
  allow: readonly Exception[],
): Problem[] {
  const changing = clusters.flatMap((cluster) => {
    const changes = changesIn(cluster);
    return changes.length === 0 ? [] : [{ name: cluster.name, changes }];
  });
  if (changing.length < 2 || allow.includes("upgrade-everywhere")) return [];
  const isInPlace = clusters.some((cluster) => changedInPlace(cluster) !== undefined);
  return [
    {
      path: isInPlace ? "mesh.istioVersion" : "dataPlane",
      rule: `must change what injects pods in one cluster at a time, but this update would change ${changing.map(({ name, changes }) => `in ${name} ${allOf(changes)}`).join(", ")}`,
      fix: `${isInPlace ? "Leave it as it is, and add the new version to mesh.revisions" : "List one of the clusters, and the next one when all is well there"}: see docs/upgrades.md. ${exceptionFix("upgrade-everywhere", allow)}`,
    },
  ];
}

function weightProblems(
  clusters: readonly UpgradedCluster[],
  weights: readonly RouteWeight[],
): Problem[] {
  const [first] = clusters.flatMap((cluster) =>
    changesIn(cluster).map((change) => `${change} in ${cluster.name}`),
  );
  const moving = weights.find(
    ({ deployed, wanted }) => deployed !== wanted || (wanted !== 0 && wanted !== 100),
  );
  return first === undefined || !moving
    ? []
    : [
        {
          path: "weight",
          value: moving.wanted,
          rule: `must be at rest, at 0 or 100, while this update changes ${first}: ${moving.key} in ${moving.cluster} ${moving.deployed === moving.wanted ? "has" : `goes from ${moving.deployed} to`} ${moving.wanted} %`,
          fix: "End the release first, or take it back: pulumi config set weight 0. Otherwise nobody could tell which of the two changes has done harm.",
        },
      ];
}

/**
 * What speaks against an update that changes control planes or what they inject.
 *
 * @param weights of all services of the stack
 * @param allow rules that are switched off
 */
export function upgradeProblems(
  clusters: readonly UpgradedCluster[],
  weights: readonly RouteWeight[],
  allow: readonly Exception[],
): Problem[] {
  return [
    ...clusters.flatMap((cluster) => [
      ...removalProblems(cluster),
      ...versionProblems(cluster),
      ...targetProblems(cluster),
    ]),
    ...everywhereProblems(clusters, allow),
    ...weightProblems(clusters, weights),
  ];
}

/** The revisions of a cluster that this update installs, or has something else go to. */
export function concernedIn(cluster: UpgradedCluster): readonly string[] {
  const { found, revisions = [] } = cluster;
  return [
    ...new Set([
      ...movesIn(cluster).map(({ to }) => to),
      ...(cluster.revisions ? ledElsewhere(cluster) : []).map(([, , to]) => to),
      ...revisions
        .filter(({ name }) => name !== DEFAULT_REVISION && !found.istiods.has(name))
        .map(({ name }) => name),
    ]),
  ];
}
