import { allOf } from "../lib/enumerate.ts";
import { ISTIO_VERSIONS, isSupportedIstio } from "../lib/istio-versions.ts";
import { INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import {
  DEFAULT_REVISION,
  isIn,
  isOneStep,
  revisionsIn,
  tagsIn,
  type ConfiguredRevisions,
  type Tags,
} from "../lib/revisions.ts";
import { duplicates } from "./checks.ts";
import type { DataPlane, Mesh, Service } from "./schema.ts";

/** The revisions and tags of a cluster. */
export interface Injectors {
  readonly name: string;
  /** @default the one without a revision */
  readonly revisions?: readonly string[] | undefined;
  /** @default none */
  readonly tags?: Tags | undefined;
}

/** What every cluster's control planes are, where the program installs them. */
function configured({ istioVersion = "", revisions, tags }: Mesh): ConfiguredRevisions {
  return { istioVersion, revisions, tags };
}

/**
 * What a cluster has beside the control plane without a revision, as stacks tell each other; nothing, where the
 * configuration says nothing of it.
 */
export function injectorsIn(mesh: Mesh, cluster: string): Omit<Injectors, "name"> {
  const of = configured(mesh);
  const { revisions, tags = [] } = of;
  return {
    ...(revisions && { revisions: revisionsIn(of, cluster).map(({ name }) => name) }),
    ...(tags.length > 0 && { tags: tagsIn(of, cluster) }),
  };
}

/** An entry of a list, and where it is. */
interface Entry {
  readonly path: string;
  readonly clusters?: readonly string[] | undefined;
}

/** @param clusters names of all clusters. @default they are not known, and any name may be right */
function clusterNameProblems(
  entries: readonly Entry[],
  clusters: readonly string[] | undefined,
): Problem[] {
  return entries.flatMap(({ path, clusters: listed = [] }) => [
    ...listed.flatMap((name, i) =>
      clusters === undefined || clusters.includes(name)
        ? []
        : [
            {
              path: `${path}.clusters[${i}]`,
              value: name,
              rule: "must be the name of a cluster",
              fix: `Name one of ${clusters.join(", ")}.`,
            },
          ],
    ),
    ...duplicates(
      listed,
      (i) => `${path}.clusters[${i}]`,
      (name) => name,
      "must name each cluster once",
      "Remove the other entry.",
    ),
  ]);
}

/** Entries about the same thing in one cluster: nobody knows which of them counts. */
function overlaps(
  entries: readonly (Entry & { readonly about: string })[],
  clusters: readonly string[],
): Problem[] {
  return entries.flatMap((entry, i) => {
    const both = entries
      .slice(0, i)
      .filter(({ about }) => about === entry.about)
      .flatMap((other) => {
        const cluster = clusters.find((name) => isIn(entry, name) && isIn(other, name));
        return cluster === undefined ? [] : [{ other, cluster }];
      });
    return both.slice(0, 1).map(({ other, cluster }) => ({
      path: entry.path,
      value: entry.about,
      rule: `must not be about a cluster twice: ${other.path} is about ${cluster} too`,
      fix: "List the clusters of each, so that none is in both.",
    }));
  });
}

function tagProblems(mesh: Mesh, clusters: readonly string[]): Problem[] {
  const of = configured(mesh);
  const names = of.revisions?.map(({ name }) => name) ?? [DEFAULT_REVISION];
  return (of.tags ?? []).flatMap((tag, i): Problem[] => {
    const path = `mesh.tags[${i}]`;
    const lacking = clusters.filter(
      (cluster) =>
        isIn(tag, cluster) && !revisionsIn(of, cluster).some(({ name }) => name === tag.revision),
    );
    return [
      ...(tag.name !== DEFAULT_REVISION && names.includes(tag.name)
        ? [
            {
              path: `${path}.name`,
              value: tag.name,
              rule: "must not be the name of a revision too",
              fix: "Give the tag another name.",
            },
          ]
        : []),
      ...(tag.revision === DEFAULT_REVISION
        ? [
            {
              path: `${path}.revision`,
              value: tag.revision,
              rule: "must be a revision with a name",
              fix:
                tag.name === DEFAULT_REVISION
                  ? "Remove the tag: without it, that one has these namespaces."
                  : "Name another one of mesh.revisions.",
            },
          ]
        : lacking.length > 0
          ? [
              {
                path: `${path}.revision`,
                value: tag.revision,
                rule: `must be a revision of each cluster of the tag, but ${allOf(lacking)} ${lacking.length === 1 ? "has" : "have"} none of that name`,
                fix: "Add it to mesh.revisions, or list the clusters of the tag.",
              },
            ]
          : []),
    ];
  });
}

/** What is wrong with the control planes of each cluster. */
function clusterProblems(mesh: Mesh, clusters: readonly string[]): Problem[] {
  const of = configured(mesh);
  return clusters.flatMap((cluster): Problem[] => {
    const own = revisionsIn(of, cluster);
    const path = "mesh.revisions";
    if (own.length === 0) {
      return [
        {
          path,
          rule: `must leave every cluster a control plane, but ${cluster} has none`,
          fix: "Add the cluster to one of them.",
        },
      ];
    }
    const apart = own.flatMap((one, i) =>
      own
        .slice(i + 1)
        .flatMap((other) => (isOneStep(one.version, other.version) ? [] : [{ one, other }])),
    );
    return [
      ...apart.slice(0, 1).map(({ one, other }) => ({
        path,
        rule: `must not skip a minor version of Istio, but in ${cluster} ${one.name} is ${one.version}, and ${other.name} ${other.version}`,
        fix: "Upgrade to the minor version between them first.",
      })),
      ...(own.some(({ name }) => name === DEFAULT_REVISION) ||
      tagsIn(of, cluster)[DEFAULT_REVISION] !== undefined
        ? []
        : [
            {
              path,
              rule: `must keep default in ${cluster}, where no tag default replaces it: namespaces with the label istio-injection: enabled would get no sidecars, and nothing would check Istio's objects`,
              fix: "Add { name: default } to mesh.revisions, or a tag default to mesh.tags.",
            },
          ]),
    ];
  });
}

/**
 * What is wrong with control planes and tags.
 *
 * @param names names of all clusters. @default they are not known: what depends on them is not checked
 */
export function revisionProblems(mesh: Mesh, names: readonly string[] | undefined): Problem[] {
  const clusters = names ?? [];
  const { revisions = [], tags = [] } = configured(mesh);
  const at = (i: number) => `mesh.revisions[${i}]`;
  return [
    ...duplicates(
      revisions,
      (i) => `${at(i)}.name`,
      ({ name }) => name,
      "must be different in each entry",
      "Remove one of them, or list the clusters of both in one.",
    ),
    ...revisions.flatMap(({ version }, i) =>
      version === undefined || isSupportedIstio(version)
        ? []
        : [
            {
              path: `${at(i)}.version`,
              value: version,
              rule: `must be a version that this program supports, ${allOf(ISTIO_VERSIONS)}`,
              fix: "Take one of those, or a version of this program that supports it.",
            },
          ],
    ),
    ...clusterNameProblems(
      [
        ...revisions.map(({ clusters: listed }, i) => ({ path: at(i), clusters: listed })),
        ...tags.map(({ clusters: listed }, i) => ({ path: `mesh.tags[${i}]`, clusters: listed })),
      ],
      names,
    ),
    ...clusterProblems(mesh, clusters),
    ...tagProblems(mesh, clusters),
    ...overlaps(
      tags.map(({ name, ...rest }, i) => ({ ...rest, about: name, path: `mesh.tags[${i}]` })),
      clusters,
    ),
  ];
}

/** Whose namespaces the data plane may name. */
export interface DataPlanes {
  readonly dataPlane: DataPlane;
  /** @default they are not known: what depends on them is not checked */
  readonly clusters: readonly Injectors[] | undefined;
  readonly services: readonly Service[];
  /** Gateways of the stack. */
  readonly gateways: { readonly eastWest: boolean; readonly ingress: boolean };
}

/** What is wrong with the revisions of namespaces. */
export function dataPlaneProblems({
  dataPlane,
  clusters,
  services,
  gateways,
}: DataPlanes): Problem[] {
  const names = clusters?.map(({ name }) => name);
  const made = [
    ...new Set(
      services.filter(({ workload }) => workload !== "existing").map(({ namespace }) => namespace),
    ),
    ...(gateways.ingress ? [INGRESS_NAMESPACE] : []),
    ...(gateways.eastWest ? [SYSTEM_NAMESPACE] : []),
  ];
  const entries = dataPlane.map((entry, i) => ({ ...entry, path: `dataPlane[${i}]` }));
  return [
    ...clusterNameProblems(entries, names),
    ...entries.flatMap(({ namespace, revision, path, ...entry }): Problem[] => {
      const lacking = (clusters ?? []).filter(
        ({ name, revisions = [DEFAULT_REVISION], tags = {} }) =>
          isIn(entry, name) && !revisions.includes(revision) && !(revision in tags),
      );
      return [
        ...(made.includes(namespace)
          ? []
          : [
              {
                path: `${path}.namespace`,
                value: namespace,
                rule: `must be a namespace that this stack makes: ${made.join(", ") || "it makes none"}`,
                fix: "Move other namespaces by their label, as docs/upgrades.md tells.",
              },
            ]),
        ...(lacking.length === 0
          ? []
          : [
              {
                path: `${path}.revision`,
                value: revision,
                rule: `must be a revision or a tag of each of its clusters, but ${allOf(lacking.map(({ name }) => name))} ${lacking.length === 1 ? "has" : "have"} none of that name`,
                fix: "Add it to mesh.revisions or mesh.tags, and bring it there first, or list the clusters that have it.",
              },
            ]),
      ];
    }),
    ...overlaps(
      entries.map(({ namespace, ...rest }) => ({ ...rest, about: namespace })),
      names ?? [],
    ),
  ];
}
