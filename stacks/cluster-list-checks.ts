import type { Problem } from "../lib/problems.ts";
import { duplicates } from "./checks.ts";
import type { AwayCluster } from "./schema/away.ts";

/** Keys that name clusters which have no part in a release. */
export interface ClusterLists {
  readonly quarantine: readonly string[];
  readonly away: readonly string[];
}

function listProblems(
  key: keyof ClusterLists,
  list: readonly string[],
  names: readonly string[] | undefined,
): Problem[] {
  const at = (i: number) => `${key}[${i}]`;
  return [
    ...list.flatMap((name, i) =>
      names && !names.includes(name)
        ? [
            {
              path: at(i),
              value: name,
              rule: "must be the name of a cluster",
              fix: `Name one of ${names.join(", ")}, or: pulumi config rm --path '${at(i)}'`,
            },
          ]
        : [],
    ),
    ...duplicates(
      list,
      at,
      (name) => name,
      "must name each cluster once",
      "Remove the other entry.",
    ),
  ];
}

/**
 * What is wrong with the keys that name clusters.
 *
 * @param names of all clusters. @default they are not known
 */
export function clusterListProblems(
  { quarantine, away }: ClusterLists,
  names: readonly string[] | undefined,
): Problem[] {
  const isAll = (list: readonly string[]) => names?.every((name) => list.includes(name)) === true;
  return [
    ...listProblems("quarantine", quarantine, names),
    ...listProblems("away", away, names),
    ...away.flatMap((name, i) =>
      quarantine.includes(name)
        ? [
            {
              path: `away[${i}]`,
              value: name,
              rule: "must not be in quarantine too: nothing is written in a cluster that is away, so it keeps the weight that it has",
              fix: `Take it out of quarantine: pulumi config rm --path 'quarantine[${quarantine.indexOf(name)}]'`,
            },
          ]
        : [],
    ),
    ...(quarantine.length > 0 && isAll(quarantine)
      ? [
          {
            path: "quarantine",
            value: quarantine,
            rule: "must leave out at least one cluster, in which the weight is in force",
            fix: "To send the canary no requests in any cluster: pulumi config set weight 0",
          },
        ]
      : []),
    ...(away.length > 0 && !isAll(quarantine) && isAll([...away, ...quarantine])
      ? [
          {
            path: "away",
            value: away,
            rule: "must leave out at least one cluster, which is not in quarantine either",
            fix: "An update without any cluster has nothing to do: wait until one is back.",
          },
        ]
      : []),
  ];
}

/**
 * What is wrong with clusters that are to be drained: what has to serve their requests must be known, and so must be how
 * istiods read them.
 *
 * @param installedBy who has installed the mesh
 * @param services of the stack. @default they are wrong by themselves
 */
export function drainKeyProblems(
  away: readonly AwayCluster[],
  installedBy: "this stack" | "another stack" | "others",
  services: readonly unknown[] | undefined,
): Problem[] {
  const why =
    installedBy === "another stack"
      ? "must be false in a stack with meshStack: the istiods of another stack's mesh read the cluster"
      : installedBy === "others"
        ? "must be false if mesh.istio is existing: the owner's istiods read the cluster, by Secrets of theirs"
        : services?.length === 0
          ? "must be false in a stack without services: whether the other clusters have the pods for those of other stacks is not known here"
          : undefined;
  return away.flatMap(({ drain }, i) =>
    drain && why !== undefined
      ? [
          {
            path: `away[${i}].drain`,
            value: drain,
            rule: why,
            fix: `Leave the cluster as it is: pulumi config set --path 'away[${i}].drain' false`,
          },
        ]
      : [],
  );
}
