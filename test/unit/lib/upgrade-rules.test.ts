import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { isOneStep, newestOf } from "../../../lib/revisions.ts";
import {
  concernedIn,
  movesIn,
  upgradeProblems,
  type FoundRevisions,
  type UpgradedCluster,
} from "../../../lib/upgrade-rules.ts";

const OLD = { name: "default", version: "1.31.0" };
const NEW = { name: "1-31-1", version: "1.31.1" };

/** A cluster with both control planes, in which everything is injected by the one without a revision. */
function cluster(
  name: string,
  more: Partial<UpgradedCluster> = {},
  found: Partial<FoundRevisions> = {},
): UpgradedCluster {
  return {
    name,
    revisions: [OLD, NEW],
    tags: {},
    namespaces: new Map([["shop", "default"]]),
    ...more,
    found: {
      istiods: new Map([
        ["default", "1.31.0"],
        ["1-31-1", "1.31.1"],
      ]),
      tags: {},
      labels: new Map(),
      workloads: [{ namespace: "shop", name: "web-v1", revision: "default" }],
      proxies: [{ namespace: "shop", revision: "default", pods: 3 }],
      ...found,
    },
  };
}

const moved = { namespaces: new Map([["shop", "1-31-1"]]) };
const told = (...args: Parameters<typeof upgradeProblems>) =>
  upgradeProblems(...args).map(problemLine);
const problems = (...clusters: UpgradedCluster[]) => told(clusters, [], []);

describe("an upgrade", () => {
  it("moves nothing where all is as it is to be, nor in a cluster that has nothing yet", () => {
    expect(movesIn(cluster("a"))).toEqual([]);
    const empty = { istiods: new Map(), workloads: [], proxies: [] };
    expect(problems(cluster("a", moved, empty), cluster("b", moved, empty))).toEqual([]);
  });

  it("moves a namespace in one cluster", () => {
    expect(movesIn(cluster("a", moved))).toEqual([
      { cluster: "a", namespace: "shop", from: "default", to: "1-31-1" },
    ]);
    expect(problems(cluster("a", moved), cluster("b"))).toEqual([]);
    expect(concernedIn(cluster("a", moved))).toEqual(["1-31-1"]);
    expect(concernedIn(cluster("b"))).toEqual([]);
  });

  it("is concerned with what it installs", () => {
    const one = new Map([["default", "1.31.0"]]);
    expect(concernedIn(cluster("a", {}, { istiods: one }))).toEqual(["1-31-1"]);
  });

  it("does not change what injects pods in several clusters at once", () => {
    const both = [cluster("a", moved), cluster("b", { tags: { default: "1-31-1" } })];
    expect(problems(...both)).toEqual([
      " - dataPlane: must change what injects pods in one cluster at a time, but this update would change in a namespace shop from default to 1-31-1, in b tag default from default to 1-31-1. List one of the clusters, and the next one when all is well there: see docs/upgrades.md. If you mean it: pulumi config set --path 'allow[0]' upgrade-everywhere",
    ]);
    expect(told(both, [], ["upgrade-everywhere"])).toEqual([]);
  });

  it("does not upgrade Istio in place in several clusters at once", () => {
    const newer = { revisions: [{ ...OLD, version: "1.31.1" }, NEW] };
    expect(problems(cluster("a", newer), cluster("b", newer))).toEqual([
      " - mesh.istioVersion: must change what injects pods in one cluster at a time, but this update would change in a Istio from 1.31.0 to 1.31.1 in place, in b Istio from 1.31.0 to 1.31.1 in place. Leave it as it is, and add the new version to mesh.revisions: see docs/upgrades.md. If you mean it: pulumi config set --path 'allow[0]' upgrade-everywhere",
    ]);
  });

  it("waits until no weight is on its way", () => {
    const at = (deployed: number, wanted: number) =>
      told([cluster("a", moved)], [{ cluster: "b", key: "shop/web", deployed, wanted }], []);
    expect(at(0, 0)).toEqual([]);
    expect(at(100, 100)).toEqual([]);
    expect(at(30, 30)).toEqual([
      " - weight: must be at rest, at 0 or 100, while this update changes namespace shop from default to 1-31-1 in a: shop/web in b has 30 %, got 30. End the release first, or take it back: pulumi config set weight 0. Otherwise nobody could tell which of the two changes has done harm.",
    ]);
    expect(at(100, 0)).toEqual([expect.stringContaining("shop/web in b goes from 100 to 0 %")]);
    // Without a move, a weight is no concern of an upgrade.
    expect(
      told([cluster("a")], [{ cluster: "a", key: "shop/web", deployed: 10, wanted: 30 }], []),
    ).toEqual([]);
  });

  it("keeps a control plane whose proxies are still there", () => {
    const gone = { revisions: [NEW], tags: { default: "1-31-1" }, ...moved };
    const at = { tags: { default: "1-31-1" }, workloads: [] };
    expect(
      problems(
        cluster("a", gone, {
          ...at,
          proxies: [
            { namespace: "shop", revision: "default", pods: 2 },
            { namespace: "team", revision: "default", pods: 1 },
            { namespace: "shop", revision: "1-31-1", pods: 4 },
          ],
        }),
      ),
    ).toEqual([
      " - mesh.revisions: must keep default in a: 3 pods have proxies of it, in shop and team. Move these namespaces to another revision first, and restart what is not the program's in them: kubectl rollout restart.",
    ]);
    const none = [{ namespace: "shop", revision: "1-31-1", pods: 4 }];
    expect(problems(cluster("a", gone, { ...at, proxies: none }))).toEqual([]);
  });

  it("keeps a revision or tag that namespaces of others are labelled with", () => {
    const labels = new Map([
      ["team", "1-31-1"],
      ["other", "prod"],
      ["shop", "1-31-1"],
    ]);
    expect(
      problems(cluster("a", { revisions: [OLD] }, { labels, tags: { prod: "1-31-1" } })),
    ).toEqual([
      " - mesh.revisions: must keep 1-31-1 in a: namespace team has the label istio.io/rev=1-31-1, and new pods there would get no sidecar. Label these namespaces with another revision or tag first.",
      " - mesh.tags: must keep prod in a: namespace other has the label istio.io/rev=prod, and new pods there would get no sidecar. Label these namespaces with another revision or tag first.",
    ]);
  });

  it("leaves a revision its version", () => {
    const other = { revisions: [OLD, { ...NEW, version: "1.31.2" }] };
    expect(problems(cluster("a", other))).toEqual([
      ' - mesh.revisions: must leave 1-31-1 the version 1.31.1 that it has in a: a revision is upgraded by another one beside it, got "1.31.2". Add an entry with a name of its own for the new version.',
    ]);
  });

  it("skips no minor version", () => {
    const old = { istiods: new Map([["default", "1.29.4"]]) };
    expect(problems(cluster("a", { revisions: [{ ...OLD, version: "1.31.0" }] }, old))).toEqual([
      ' - mesh.istioVersion: must not skip a minor version of Istio, but default of a is 1.29.4, got "1.31.0". Upgrade to the minor version between them first.',
    ]);
    expect(isOneStep("1.30.9", "1.31.0")).toBe(true);
    expect(isOneStep("1.31.0", "1.30.9")).toBe(true);
    expect(isOneStep("1.31.0", "2.0.0")).toBe(false);
  });

  it("moves nothing to a control plane that is not there yet", () => {
    const one = { istiods: new Map([["default", "1.31.0"]]) };
    expect(problems(cluster("a", moved, one))).toEqual([
      " - mesh.revisions: must have 1-31-1 in a before anything is moved to it, and it is not there yet. Run pulumi up with the revision alone. Move a namespace to it, or a tag, in the next update.",
    ]);
  });

  it("of another stack's mesh judges moves alone", () => {
    const joined = { revisions: undefined, ...moved };
    const none = { istiods: new Map() };
    expect(problems(cluster("a", joined, none), cluster("b", { ...joined }, none))).toHaveLength(1);
    expect(problems(cluster("a", joined, none))).toEqual([]);
  });
});

describe("the newest version", () => {
  it("is told by numbers", () => {
    expect(newestOf(["1.31.9", "1.31.10", "1.30.11"])).toBe("1.31.10");
    expect(newestOf([])).toBeUndefined();
  });
});
