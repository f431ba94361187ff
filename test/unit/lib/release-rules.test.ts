import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sameShares, type DeployedCluster, type DeployedRoute } from "../../../lib/deployed.ts";
import { problemLine } from "../../../lib/problems.ts";
import { type Exception } from "../../../lib/exceptions.ts";
import { falls, releaseProblems, rises, type Wanted } from "../../../lib/release-rules.ts";
import type { Split } from "../../../lib/weights.ts";
import {
  deployedCluster as cluster,
  split as v,
  wantedRelease as wanted,
} from "../../helpers/deployed.ts";

const away: DeployedCluster = { name: "b", unreachable: "no answer in time", routes: new Map() };
const both = (split: Split | undefined) => [cluster("a", split), cluster("b", split)];

const lines = (deployed: readonly DeployedCluster[], to: Wanted) =>
  releaseProblems(deployed, to).map(problemLine);

describe("routes that name no version", () => {
  const unnamed = { ...v("v1"), unnamed: true as const };

  it("let the owner change the version", () => {
    expect(lines(both(unnamed), wanted({ ...v("v2"), unnamed: true }))).toEqual([]);
    expect(lines(both(unnamed), wanted(v("v2", "v3")))).toEqual([]);
  });

  it("give no version anything for sure: what a canary then gets is a rise, phase by phase", () => {
    // Also where the canary has the name that the owner's version had.
    for (const to of [v("v1", "v2", 10), v("v0", "v1", 10)]) {
      expect(rises(both(unnamed), wanted(to)).map((move) => move.cluster)).toEqual(["a", "b"]);
      expect(lines(both(unnamed), wanted(to))).toEqual([]);
    }
    expect(lines(both(unnamed), wanted(v("v0", "v1", 100)))).toEqual([
      expect.stringContaining(
        "weight: must rise one phase at a time: v1 of user/user-service serves 0 %",
      ),
    ]);
  });

  it("are never the same as routes that name one", () => {
    expect(sameShares(unnamed, v("v1"))).toBe(false);
    expect(sameShares(unnamed, { ...v("v2"), unnamed: true })).toBe(true);
  });
});

describe("a canary whose image is its owner's", () => {
  it("may get another one at any weight", () => {
    const { routes, ...to } = wanted(v("v1", "v2", 10));
    const own = { ...to, routes: routes.map((route) => ({ ...route, canaryImage: undefined })) };
    expect(lines(both(v("v1", "v2", 10)), own)).toEqual([]);
  });
});

describe("a weight that somebody has changed by hand", () => {
  const byHand = (cluster: DeployedCluster, change: Partial<DeployedRoute>): DeployedCluster => ({
    ...cluster,
    routes: new Map(
      [...cluster.routes].map(([key, route]) => [
        key,
        { ...route, writtenBy: "kubectl-edit", ...change },
      ]),
    ),
  });
  const at = (a: number, b: number) =>
    [cluster("a", v("v1", "v2", a)), cluster("b", v("v1", "v2", b))] as const;

  it("does not let the other clusters follow past the next phase", () => {
    const [a, b] = at(10, 100);
    expect(lines([a, byHand(b, {})], wanted(v("v1", "v2", 100)))).toEqual([
      expect.stringContaining(
        "weight: must not rise while the clusters differ: v2 of user/user-service serves 10 % in a, 100 % in b (written by kubectl-edit), got 100. " +
          "First make them the same: pulumi config set weight 10 && pulumi up.",
      ),
    ]);
    // An update that has stopped half-way looks the same, except for who has written.
    expect(lines([a, b], wanted(v("v1", "v2", 100)))).toEqual([]);
  });

  it("is put right by an update at the weight that the others have", () => {
    const [a, b] = at(30, 0);
    expect(lines([a, byHand(b, {})], wanted(v("v1", "v2", 30)))).toEqual([]);
    expect(
      lines(
        at(10, 10).map((each) => byHand(each, {})),
        wanted(v("v1", "v2", 10)),
      ),
    ).toEqual([]);
  });

  it("rises and falls host by host", () => {
    const [a, b] = at(30, 30);
    const mixed = [byHand(a, { leastWeight: 0 }), b];
    expect(rises(mixed, wanted(v("v1", "v2", 30))).map((move) => move.cluster)).toEqual(["a"]);
    expect(falls(mixed, wanted(v("v1", "v2", 30)))).toEqual([]);
    expect(falls(mixed, wanted(v("v1", "v2", 10))).map((move) => move.cluster)).toEqual(["a", "b"]);
    expect(rises(mixed, wanted(v("v1", "v2", 10))).map((move) => move.cluster)).toEqual(["a"]);
    expect(rises(mixed, wanted(v("v1", "v2", 0)))).toEqual([]);
  });

  it("keeps the weight from rising while the hosts of all clusters differ", () => {
    const mixed = at(30, 30).map((each) => byHand(each, { leastWeight: 0 }));
    expect(lines(mixed, wanted(v("v1", "v2", 100)))[0]).toContain(
      "serves 0 to 30 %, by host, in a (written by kubectl-edit)",
    );
  });
});

describe("what a release may become", () => {
  it.each<[string, Split | undefined, Split]>([
    ["a first installation at 0", undefined, v("v1", "v2", 0)],
    ["a first installation without a canary", undefined, v("v1")],
    ["the first phase", v("v1", "v2", 0), v("v1", "v2", 10)],
    ["the next phase", v("v1", "v2", 10), v("v1", "v2", 30)],
    ["the last phase", v("v1", "v2", 30), v("v1", "v2", 100)],
    ["the next phase from a weight that is none", v("v1", "v2", 45), v("v1", "v2", 100)],
    ["the same", v("v1", "v2", 30), v("v1", "v2", 30)],
    ["back by one phase", v("v1", "v2", 100), v("v1", "v2", 30)],
    ["back to nothing", v("v1", "v2", 100), v("v1", "v2", 0)],
    ["promotion", v("v1", "v2", 100), v("v2")],
    ["promotion with the next canary", v("v1", "v2", 100), v("v2", "v3", 0)],
    ["promotion and the next canary's first phase", v("v1", "v2", 100), v("v2", "v3", 10)],
    ["back from a promotion", v("v2"), v("v1", "v2", 100)],
    ["the next release", v("v2"), v("v2", "v3", 0)],
    ["the next release at its first phase", v("v2"), v("v2", "v3", 10)],
    ["another canary while it serves nothing", v("v1", "v2", 0), v("v1", "v3", 0)],
    ["the end of a trial", v("v1", "v2", 0), v("v1")],
  ])("allows %s", (_, from, to) => {
    expect(lines(both(from), wanted(to))).toEqual([]);
  });

  it.each<[string, Split, Split, Exception, RegExp]>([
    [
      "a skipped phase",
      v("v1", "v2", 10),
      v("v1", "v2", 100),
      "skip-phase",
      /^ - weight: must rise one phase at a time: v2 of user\/user-service serves 10 % in a, b, got 100\. Set it with: pulumi config set weight 30\. If you mean it: pulumi config set --path 'allow\[0\]' skip-phase$/,
    ],
    [
      "a new canary that begins beyond the first phase",
      v("v1", "v2", 100),
      v("v2", "v3", 100),
      "skip-phase",
      /^ - weight: must rise one phase at a time: v3 .* serves 0 % .* weight 10\./,
    ],
    [
      "another canary in mid-release",
      v("v1", "v2", 10),
      v("v1", "v3", 10),
      "change-canary",
      /^ - services\[0\]\.canary\.version: must stay v2 while it serves 10 % of user\/user-service in a, b, got "v3"\. /,
    ],
    [
      "no canary in mid-release",
      v("v1", "v2", 30),
      v("v1"),
      "change-canary",
      /^ - services\[0\]\.canary\.version: must stay v2 while it serves 30 % .*, got null\. /,
    ],
    [
      "promotion before 100 %",
      v("v1", "v2", 30),
      v("v2"),
      "change-stable",
      /^ - services\[0\]\.stable\.version: must stay v1 until v2 serves 100 % as the canary; it serves 30 % .*, got "v2"\. /,
    ],
    [
      "another stable version without a release",
      v("v1"),
      v("v2"),
      "change-stable",
      /^ - services\[0\]\.stable\.version: must stay v1 until v2 serves 100 % as the canary; it serves 0 % /,
    ],
    [
      "a third version instead of the promotion",
      v("v1", "v2", 100),
      v("v3"),
      "change-stable",
      /^ - services\[0\]\.stable\.version: must stay v1 until v3 serves 100 %/,
    ],
  ])("refuses %s, unless it is allowed by name", (_, from, to, allow, message) => {
    expect(lines(both(from), wanted(to))).toEqual([expect.stringMatching(message)]);
    expect(lines(both(from), wanted(to, [allow]))).toEqual([]);
  });

  it("refuses a first installation with a weight, which nothing would check or confirm", () => {
    expect(lines(both(undefined), wanted(v("v1", "v2", 10)))).toEqual([
      " - weight: must be 0 as long as user/user-service has no routes in any cluster, got 10. " +
        "First: pulumi config set weight 0 && pulumi up. Where other services are on trial already, add user/user-service without its canary until they are done. " +
        "If you mean it: pulumi config set --path 'allow[0]' skip-phase",
    ]);
    expect(lines(both(undefined), wanted(v("v1", "v2", 10), ["skip-phase"]))).toEqual([]);
    // A cluster that does not answer may have it.
    expect(lines([cluster("a", undefined), away], wanted(v("v1", "v2", 10)))).toEqual([
      expect.stringMatching(/ must not rise while b cannot be reached, got 10/),
    ]);
  });

  it("refuses another image of the canary while it serves", () => {
    const to = (weight: number, ...allow: Exception[]) =>
      wanted(v("v1", "v2", weight), allow, "image:v2-fixed");
    expect(lines(both(v("v1", "v2", 10)), to(10))).toEqual([
      expect.stringMatching(
        /^ - services\[0\]\.canary\.image: must stay image:v2 while v2 serves 10 %/,
      ),
    ]);
    expect(lines(both(v("v1", "v2", 10)), to(10, "change-canary"))).toEqual([]);
    expect(lines(both(v("v1", "v2", 0)), to(10))).toEqual([]);
  });

  it("refuses the promotion that one cluster is not ready for", () => {
    const deployed = [cluster("a", v("v1", "v2", 100)), cluster("b", v("v1", "v2", 30))];
    expect(lines(deployed, wanted(v("v2")))).toEqual([expect.stringMatching(/ 30 % .* in b, got/)]);
  });

  it("completes an update that stopped half-way, or takes it back", () => {
    const deployed = [cluster("a", v("v1", "v2", 30)), cluster("b", v("v1", "v2", 10))];
    for (const weight of [0, 10, 30]) {
      expect(lines(deployed, wanted(v("v1", "v2", weight)))).toEqual([]);
    }
    expect(lines(deployed, wanted(v("v1", "v2", 100)))).toEqual([
      expect.stringMatching(
        /^ - weight: must not rise while the clusters differ: .* 30 % in a, 10 % in b, got 100\. .* weight 30 .* If b is supposed to serve 0 %: pulumi config set --path 'quarantine\[0\]' b$/,
      ),
    ]);
  });

  it("completes a promotion that stopped half-way", () => {
    const deployed = [cluster("a", v("v2")), cluster("b", v("v1", "v2", 100))];
    expect(lines(deployed, wanted(v("v2")))).toEqual([]);
  });

  it("lets nothing rise before a new cluster has the service", () => {
    const deployed = [cluster("a", v("v1", "v2", 10)), cluster("b", undefined)];
    expect(lines(deployed, wanted(v("v1", "v2", 10)))).toEqual([]);
    expect(lines(deployed, wanted(v("v1", "v2", 30)))).toEqual([
      expect.stringMatching(
        /^ - weight: must stay 10 until b has user\/user-service too, got 30\./,
      ),
    ]);
  });
});

describe("a cluster that does not answer", () => {
  const deployed = [cluster("a", v("v1", "v2", 30)), away];

  it("lets no weight rise, and is named with the reason", () => {
    const problems = lines(deployed, wanted(v("v1", "v2", 100), ["skip-phase"]));
    expect(problems).toEqual([
      " - weight: must not rise while b cannot be reached, got 100. Fix that first (b: no answer in time). A lower weight is always allowed. If it stays away, release the others without it: docs/operations.md#a-cluster-that-is-away.",
    ]);
  });

  it("is one of several, or leaves nothing to release without it", () => {
    const gone = { ...away, name: "c" };
    const to = wanted(v("v1", "v2", 100), ["skip-phase"]);
    expect(lines([...deployed, gone], to)).toEqual([
      expect.stringMatching(/ If one stays away, release the others without it: docs\/\S+$/),
    ]);
    expect(lines([away, gone], to)).toEqual([
      " - weight: must not rise while b, c cannot be reached, got 100. Fix that first (b: no answer in time; c: no answer in time). A lower weight is always allowed.",
    ]);
  });

  it("lets every lower weight through", () => {
    for (const weight of [0, 10, 30]) {
      expect(lines(deployed, wanted(v("v1", "v2", weight)))).toEqual([]);
    }
  });

  it("lets no version change", () => {
    const problems = lines([cluster("a", v("v1", "v2", 100)), away], wanted(v("v2")));
    expect(problems).toEqual([
      expect.stringMatching(
        /^ - services\[0\]: must keep its versions while b cannot be reached\./,
      ),
    ]);
  });

  it("lets no weight begin where nothing is known at all", () => {
    expect(lines([away], wanted(v("v1", "v2", 10)))).toHaveLength(1);
    expect(lines([away], wanted(v("v1", "v2", 0)))).toEqual([]);
  });
});

describe("a cluster in quarantine", () => {
  const at = (a: number, b: number) => [
    cluster("a", v("v1", "v2", a)),
    cluster("b", v("v1", "v2", b)),
  ];
  const without = (split: Split, ...allow: Exception[]) => wanted(split, allow, undefined, ["b"]);

  it("stays at 0 while the others rise one phase at a time", () => {
    for (const [from, to] of [
      [0, 10],
      [10, 30],
      [30, 100],
    ] as const) {
      expect(lines(at(from, 0), without(v("v1", "v2", to)))).toEqual([]);
      expect(rises(at(from, 0), without(v("v1", "v2", to)))).toMatchObject([
        { cluster: "a", wanted: { weight: to } },
      ]);
    }
    expect(lines(at(10, 0), without(v("v1", "v2", 100)))).toEqual([
      expect.stringMatching(/^ - weight: must rise one phase at a time: .* 10 % in a, got 100\./),
    ]);
  });

  it("falls to 0 from any weight, also while another cluster cannot be reached", () => {
    expect(lines(at(30, 30), without(v("v1", "v2", 30)))).toEqual([]);
    expect(falls(at(30, 30), without(v("v1", "v2", 30)))).toMatchObject([
      { cluster: "b", wanted: { weight: 0 }, route: { weight: 30 } },
    ]);
    const aAway = [{ ...away, name: "a" }, cluster("b", v("v1", "v2", 30))];
    expect(lines(aAway, without(v("v1", "v2", 30)))).toEqual([]);
    expect(falls(aAway, without(v("v1", "v2", 30)))).toHaveLength(1);
  });

  it("joins the others in one step when it is taken out, and rises with them only then", () => {
    expect(lines(at(30, 0), wanted(v("v1", "v2", 30)))).toEqual([]);
    expect(rises(at(30, 0), wanted(v("v1", "v2", 30)))).toMatchObject([{ cluster: "b" }]);
    expect(lines(at(30, 0), wanted(v("v1", "v2", 100)))).toEqual([
      expect.stringMatching(/must not rise while the clusters differ: .* 30 % in a, 0 % in b/),
    ]);
  });

  it("keeps the canary from becoming the stable version, for its clients would all move at once", () => {
    expect(lines(at(100, 0), without(v("v2")))).toEqual([
      " - services[0].stable.version: must stay v1 until v2 serves 100 % as the canary; it serves 0 % of user/user-service in b, " +
        'got "v2". Take b out of quarantine first, with v2 as the canary at 100. ' +
        "If you mean it: pulumi config set --path 'allow[0]' change-stable",
    ]);
    // What is allowed already stays so.
    expect(lines(at(100, 0), without(v("v2"), "skip-phase"))).toEqual([
      expect.stringContaining("pulumi config set --path 'allow[1]' change-stable"),
    ]);
    expect(lines(at(100, 0), wanted(v("v2")))).toHaveLength(1);
    expect(lines(at(100, 0), without(v("v2"), "change-stable"))).toEqual([]);
  });

  it("has no effect where there is no canary", () => {
    expect(lines(both(v("v2")), without(v("v2")))).toEqual([]);
    expect(rises(both(v("v2")), without(v("v2")))).toEqual([]);
  });

  it("does not let the others begin where nothing is known of them", () => {
    const bFresh = [cluster("a", v("v1", "v2", 10)), cluster("b", undefined)];
    expect(lines(bFresh, without(v("v1", "v2", 30)))).toEqual([
      expect.stringMatching(/^ - weight: must stay 10 until b has user\/user-service too/),
    ]);
    const aFresh = [cluster("a", undefined), cluster("b", v("v1", "v2", 0))];
    expect(lines(aFresh, without(v("v1", "v2", 10)))).toEqual([
      expect.stringMatching(/^ - weight: must stay 0 until a has user\/user-service too/),
    ]);
  });

  it("never gets the canary by weight, whatever is deployed and wanted", () => {
    const weight = fc.constantFrom(0, 10, 30, 100);
    fc.assert(
      fc.property(weight, weight, weight, (a, b, to) => {
        const target = without(v("v1", "v2", to), "skip-phase");
        expect(rises(at(a, b), target).map((move) => move.cluster)).not.toContain("b");
        expect(falls(at(a, b), target).some((move) => move.cluster === "b")).toBe(b > 0);
      }),
    );
  });
});

describe("what moves", () => {
  const deployed = [
    cluster("a", v("v1", "v2", 30)),
    cluster("b", v("v1", "v2", 0)),
    cluster("c", undefined),
    away,
  ];
  const names = (moves: readonly { readonly cluster: string }[]) =>
    moves.map((move) => move.cluster);

  it("is what serves less, or more, than is wanted", () => {
    const to = wanted(v("v1", "v2", 10));
    expect(names(rises(deployed, to))).toEqual(["b"]);
    expect(names(falls(deployed, to))).toEqual(["a"]);
  });

  it("is nothing in a promotion: no request goes another way", () => {
    const done = both(v("v1", "v2", 100));
    for (const to of [v("v2"), v("v2", "v3", 0)]) {
      expect(names(rises(done, wanted(to)))).toEqual([]);
      expect(names(falls(done, wanted(to)))).toEqual([]);
    }
  });

  it("is a new canary that begins", () => {
    expect(names(rises(both(v("v2")), wanted(v("v2", "v3", 10))))).toEqual(["a", "b"]);
  });
});
