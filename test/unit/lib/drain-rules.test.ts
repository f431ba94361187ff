import { describe, expect, it } from "vitest";
import { drainProblems, undrainProblem } from "../../../lib/drain-rules.ts";
import { problemLine } from "../../../lib/problems.ts";

const b = { name: "cluster-b", path: "away[0].drain" };

/** What keeps cluster-b from being drained while the others have such pods of v1. */
function lines(
  staying: readonly string[],
  pods: number,
  ready: number,
  { gone = 1, capacity = 0.5 } = {},
): readonly string[] {
  const version = { key: "user/user-service", version: "v1", pods, ready };
  return drainProblems(b, gone, staying, [version], capacity).map(problemLine);
}

describe("a cluster that is to be drained", () => {
  it("needs the others to have pods for its requests too", () => {
    expect(lines(["cluster-a"], 4, 4)).toEqual([]);
    expect(lines(["cluster-a"], 4, 3)).toEqual([
      " - away[0].drain: must be false until the other clusters have the pods for the requests of cluster-b too: of v1 of user/user-service, 3 of the 4 that they need are ready in cluster-a (8 for all requests, and safety.capacity is 0.5), got true. Run more pods of it there, or wait for those that start. Until then: pulumi config set --path 'away[0].drain' false, which leaves cluster-b as it is.",
    ]);
    expect(lines(["cluster-a", "cluster-c"], 4, 3)).toEqual([]);
    expect(lines(["cluster-a", "cluster-c"], 4, 2)).toEqual([
      expect.stringContaining("2 of the 3 that they need are ready in cluster-a and cluster-c (6 "),
    ]);
    expect(lines(["cluster-a"], 2, 2, { gone: 2 })).toEqual([
      expect.stringContaining("2 of the 3 that they need"),
    ]);
  });

  it("needs one pod of each version, whatever the capacity is", () => {
    expect(lines(["cluster-a"], 4, 1, { capacity: 0 })).toEqual([]);
    expect(lines(["cluster-a"], 0, 0, { capacity: 0 })).toEqual([
      expect.stringContaining("0 of the 1 that they need are ready in cluster-a"),
    ]);
  });

  it("stays drained while it is away", () => {
    expect(problemLine(undrainProblem("cluster-b", 0))).toBe(
      ' - away[0]: must keep drain: true: the cluster was drained, and gets requests of the others again only once it is equal to them, got "cluster-b". Write it in the stack\'s file as: { name: cluster-b, drain: true }. Once it answers, take it out of away.',
    );
  });
});
