import type { Problem } from "../lib/problems.ts";
import { duplicates } from "./checks.ts";

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
 * @param isExisting whether others have installed Istio
 */
export function clusterListProblems(
  { quarantine, away }: ClusterLists,
  names: readonly string[] | undefined,
  isExisting: boolean,
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
    ...(away.length > 0 && isExisting
      ? [
          {
            path: "away",
            value: away,
            rule: "must be left out if `mesh.istio` is existing: what Istio has in a cluster is read there, in each update",
            fix: "Remove it with: pulumi config rm away. npm run release -- zero lowers the canaries in every cluster that answers.",
          },
        ]
      : []),
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
