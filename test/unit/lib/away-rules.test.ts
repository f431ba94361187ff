import { describe, expect, it } from "vitest";
import type { Exception } from "../../../lib/exceptions.ts";
import { problemLine } from "../../../lib/problems.ts";
import {
  clustersBehind,
  releaseProblems,
  type Wanted,
  type WantedRoute,
} from "../../../lib/release-rules.ts";
import type { DeployedCluster, DeployedRoute } from "../../../lib/deployed.ts";
import type { Split } from "../../../lib/weights.ts";
import { deployedCluster as cluster, split as v, wantedRelease } from "../../helpers/deployed.ts";

const lines = (deployed: readonly DeployedCluster[], to: Wanted) =>
  releaseProblems(deployed, to).map(problemLine);

/** What the config wants of a service while b is away; the program makes its pods unless `more` says otherwise. */
function without(
  split: Split,
  { more = {}, allow = [] }: { more?: Partial<WantedRoute>; allow?: Exception[] } = {},
): Wanted {
  const { routes, ...to } = wantedRelease(split, allow, undefined, [], ["b"]);
  return { ...to, routes: routes.map((route) => ({ ...route, pods: {}, ...more })) };
}

describe("while a cluster is away", () => {
  const has = (split: Split) => [cluster("a", split)];

  it("the others rise by phases, fall, and get another image of a version", () => {
    for (const [from, to] of [
      [0, 10],
      [10, 30],
      [100, 0],
    ] as const) {
      expect(lines(has(v("v1", "v2", from)), without(v("v1", "v2", to)))).toEqual([]);
    }
    expect(lines(has(v("v1", "v2", 10)), without(v("v1", "v2", 100)))).toEqual([
      expect.stringMatching(/^ - weight: must rise one phase at a time: .* 10 % in a, got 100\./),
    ]);
  });

  it("versions come and go by the rules that there are", () => {
    expect(lines(has(v("v1", "v2", 100)), without(v("v2")))).toEqual([]);
    expect(lines(has(v("v1", "v2", 0)), without(v("v1")))).toEqual([]);
    expect(lines(has(v("v1")), without(v("v1", "v3", 10)))).toEqual([]);
    expect(lines(has(v("v1", "v2", 10)), without(v("v1.1")))).toEqual([
      expect.stringMatching(/^ - services\[0\]\.stable\.version: must stay v1 until v1\.1 serves/),
    ]);
    const fixed = without(v("v1.1"), { allow: ["change-stable", "change-canary"] });
    expect(lines(has(v("v1", "v2", 10)), fixed)).toEqual([]);
  });

  it("no version of pods that others have made comes or goes", () => {
    const refused =
      " - services[0]: must keep its versions while b is away: requests of clients there go to pods that others have made, and nobody knows how long those stay. " +
      "Lower its weight to 0 if its canary is bad. Or take the cluster out of away first, once it answers.";
    const others = { more: { pods: undefined } };
    for (const to of [v("v1"), v("v1", "v3")]) {
      expect(lines(has(v("v1", "v2", 0)), without(to, others))).toEqual([refused]);
    }
    expect(lines(has(v("v1")), without(v("v1", "v2"), others))).toEqual([refused]);
    expect(lines(has(v("v1", "v2", 10)), without(v("v1", "v2", 0), others))).toEqual([]);
  });

  it("nor does one of a chain, whose mark means the canaries of all of it", () => {
    const inChain = { more: { role: "entry" as const } };
    expect(lines(has(v("v1", "v2", 0)), without(v("v1", "v3"), inChain))).toContain(
      " - services[0]: must keep its versions while b is away: it is in a chain, and what is marked there is served by the canaries that there are, also in the other clusters. " +
        "Another image may get the same version name: that of a canary at weight 0 as it is, any other one with allow: [replace-stable]. " +
        "Or take the cluster out of away first, once it answers.",
    );
  });
});

describe("a cluster that is back with other versions", () => {
  const to = (split: Split, quarantine: readonly string[] = []) =>
    wantedRelease(split, [], undefined, quarantine);
  const behindIn = (deployed: readonly DeployedCluster[], wanted: Wanted) =>
    wanted.routes.flatMap((route) => clustersBehind(deployed, wanted, route));
  const changed = (name: string, split: Split, more: Partial<DeployedRoute>) => {
    const { routes, ...rest } = cluster(name, split);
    return {
      ...rest,
      routes: new Map([...routes].map(([key, route]) => [key, { ...route, ...more }])),
    };
  };

  it("gets those of the others in one step, with their weight", () => {
    const back = cluster("b", v("v1", "v2", 10));
    for (const leading of [v("v1.1", "v3", 30), v("v2"), v("v1"), v("v1", "v3", 10)]) {
      const deployed = [cluster("a", leading), back];
      expect(lines(deployed, to(leading))).toEqual([]);
      expect(behindIn(deployed, to(leading))).toEqual(["b"]);
    }
  });

  it("does not rise further in the same update", () => {
    const deployed = [cluster("a", v("v1.1", "v3", 10)), cluster("b", v("v1", "v2", 10))];
    expect(lines(deployed, to(v("v1.1", "v3", 30)))).toEqual([
      " - weight: must not rise while the clusters differ: v3 of user/user-service serves 10 % in a, 0 % in b, got 30. First make them the same: pulumi config set weight 10 && pulumi up. If b is supposed to serve 0 %: pulumi config set --path 'quarantine[0]' b",
    ]);
  });

  it("does not lead: what no update has brought to another cluster is released by phases", () => {
    const refused: unknown = expect.stringMatching(
      /^ - services\[0\]\.stable\.version: must stay v1 until/,
    );
    const back = cluster("b", v("v1"));
    // No cluster has it yet, or only one in quarantine, or somebody has written it by hand.
    expect(lines([cluster("a", v("v1", "v2", 100)), back], to(v("v2")))).toEqual([refused]);
    expect(lines([cluster("a", v("v2")), back], to(v("v2"), ["a"]))).toEqual([refused]);
    const byHand = changed("a", v("v2"), { writtenBy: "kubectl-edit" });
    expect(lines([byHand, back], to(v("v2")))).toEqual([refused]);
  });

  it("waits in quarantine, whose clients would all move at once", () => {
    const deployed = [cluster("a", v("v2")), cluster("b", v("v1", "v2", 0))];
    expect(behindIn(deployed, to(v("v2"), ["b"]))).toEqual([]);
    expect(lines(deployed, to(v("v2"), ["b"]))).toEqual([
      expect.stringMatching(/must stay v1 until v2 serves 100 %/),
    ]);
  });

  it("is none whose rules name no version", () => {
    const unnamed = changed("b", v("v1"), { unnamed: true });
    expect(behindIn([cluster("a", v("v2")), unnamed], to(v("v2")))).toEqual([]);
  });
});
