import { podsFor } from "./capacity.ts";
import { allOf } from "./enumerate.ts";
import type { Problem } from "./problems.ts";

/** A version that serves requests, and its pods in the clusters that stay. */
export interface ServingVersion {
  /** The service, as `namespace/service`. */
  readonly key: string;
  readonly version: string;
  /** Pods that the clusters that stay are to have, all in all. */
  readonly pods: number;
  /** Those of them that can take requests. */
  readonly ready: number;
}

/** A cluster that is to be drained. */
export interface Draining {
  readonly name: string;
  /** Where the configuration says so: `away[0].drain`. */
  readonly path: string;
}

/**
 * What keeps a cluster from being drained: the other clusters get its requests, and must have the pods for them. Nothing
 * is known of its own pods; it is taken to have as many as each of the others.
 *
 * @param gone how many clusters get nothing any more, this one included
 * @param staying names of the clusters that stay
 * @param capacity least pods, as a part of those that all requests need
 */
export function drainProblems(
  { name, path }: Draining,
  gone: number,
  staying: readonly string[],
  versions: readonly ServingVersion[],
  capacity: number,
): readonly Problem[] {
  return versions.flatMap(({ key, version, pods, ready }) => {
    const all = podsFor(pods, (100 * (staying.length + gone)) / staying.length);
    const least = Math.max(1, podsFor(all, 100, capacity));
    if (ready >= least) return [];
    return [
      {
        path,
        value: true,
        rule: `must be false until the other clusters have the pods for the requests of ${name} too: of ${version} of ${key}, ${ready} of the ${least} that they need are ready in ${allOf(staying)} (${all} for all requests, and safety.capacity is ${capacity})`,
        fix: `Run more pods of it there, or wait for those that start. Until then: pulumi config set --path '${path}' false, which leaves ${name} as it is.`,
      },
    ];
  });
}

/** What keeps a cluster that was drained from getting requests again while nothing is known of it. */
export function undrainProblem(name: string, i: number): Problem {
  return {
    path: `away[${i}]`,
    value: name,
    rule: "must keep drain: true: the cluster was drained, and gets requests of the others again only once it is equal to them",
    fix: `Write it in the stack's file as: { name: ${name}, drain: true }. Once it answers, take it out of away.`,
  };
}
