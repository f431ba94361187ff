import { describe, expect, it } from "vitest";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import type { Exception } from "../../../lib/exceptions.ts";
import type { Notes } from "../../../lib/journal.ts";
import type { Wanted } from "../../../lib/release-rules.ts";
import { decideWeight } from "../../../lib/taken-back.ts";
import { deployedCluster, KEY, split, wantedRelease } from "../../helpers/deployed.ts";

const CANARY = "v2 (image:v2)";
const RELEASE = `${KEY} ${CANARY}`;
const asked = { stack: "prod", release: RELEASE };
const failed = { reason: "slow", weight: 10, since: 5, at: 7 };

/** What the last complete update has configured. */
const configured = (weight: number, canary = CANARY, more = {}) => ({
  "configured-prod": { format: 1, at: 3, weight, canaries: { [KEY]: canary }, ...more },
});
/** What the guard of cluster-b says. */
const guard = (more = {}) => ({
  "guard-cluster-b": {
    ...{ format: 1, at: 9, cluster: "cluster-b", startedAt: 1, release: RELEASE, weight: 0 },
    ...{ since: 8, failures: { consecutive: 1, total: 1 }, failed, contactAt: 9 },
    ...{ does: "lower", says: "slow", ...more },
  },
});
/** What a rollout remembers. */
const rollout = (more: object) => ({
  progress: {
    ...{ format: 1, at: 9 },
    progress: {
      ...{ release: RELEASE, weight: 0, since: 4, begun: true },
      ...{ failures: { consecutive: 0, total: 0 }, ...more },
    },
  },
});
const rolledBack = rollout({ end: { result: "rolled-back", reason: "95 %" } });
/** What `release zero` notes. */
const zeroed = (at: number, canary = "v2") => ({
  "zero-user-service": { format: 1, at, key: KEY, canary },
});
const retry = { retry: { format: 1, at: 9, forgives: ["cluster-b 7"] } };

const notes = (...values: readonly object[]): Notes =>
  Object.fromEntries(
    Object.entries(Object.assign({}, ...values) as object).map(([key, value]) => [
      key,
      JSON.stringify(value),
    ]),
  );

interface Case {
  /** Percent by the config. */
  readonly to: number;
  /** Percent in cluster-a and cluster-b. */
  readonly has: readonly [number, number];
  /** What both have noted. */
  readonly noted?: readonly object[];
  readonly allow?: readonly Exception[];
  readonly quarantine?: readonly string[];
}

const clusters = ["cluster-a", "cluster-b"];
function decide({ to, has, noted = [], allow = [], quarantine = [] }: Case) {
  return decideWeight(
    clusters.map((name, i) => deployedCluster(name, split("v1", "v2", has[i]))),
    wantedRelease(split("v1", "v2", to), allow, undefined, quarantine),
    new Map(clusters.map((name) => [name, [notes(...noted)]])),
    asked,
  );
}
/** The decision in short: what becomes of the weight. */
function outcome(of: Case): string {
  const decision = decide(of);
  if (decision.do === "keep") return `keeps ${decision.weight} %`;
  return decision.do === "refuse" ? "refused" : "carried out";
}

const TRY = ["retry-canary"] as const;

describe("a weight", () => {
  it.each<[what: string, of: Case, expected: string]>([
    // The config is as the last update had it.
    ["is as before, and so are the clusters", { to: 10, has: [10, 10] }, "carried out"],
    [
      "is as before, and all clusters were lowered by hand",
      { to: 10, has: [0, 0], noted: [configured(10)] },
      "keeps 0 %",
    ],
    [
      "is as before, and all clusters were lowered by hand, but not alike",
      { to: 30, has: [10, 5], noted: [configured(30)] },
      "keeps 5 %",
    ],
    [
      "is as before, and one cluster was changed by hand",
      { to: 10, has: [10, 0], noted: [configured(10)] },
      "carried out",
    ],
    [
      "is as before, and release zero has not reached one cluster",
      { to: 10, has: [10, 0], noted: [configured(10), zeroed(4)] },
      "keeps 0 %",
    ],
    [
      "is new, and release zero has not reached one cluster",
      { to: 30, has: [10, 0], noted: [configured(10), zeroed(4)] },
      "refused",
    ],
    [
      "is as before, and is to be tried again after release zero",
      { to: 10, has: [10, 0], noted: [configured(10), zeroed(4)], allow: TRY },
      "carried out",
    ],
    [
      "is as before, and release zero was run before the last update",
      { to: 10, has: [10, 0], noted: [configured(10), zeroed(2)] },
      "carried out",
    ],
    [
      "is as before, and release zero has taken another canary back",
      { to: 10, has: [10, 0], noted: [configured(10), zeroed(4, "v1")] },
      "carried out",
    ],
    [
      "is as before, and a guard has taken the canary back",
      { to: 10, has: [0, 0], noted: [configured(10), guard()] },
      "keeps 0 %",
    ],
    [
      "is as before, and a guard has not reached one cluster",
      { to: 10, has: [10, 0], noted: [configured(10), guard()] },
      "keeps 0 %",
    ],
    [
      "is as before, and a rollout rolls back",
      { to: 10, has: [10, 0], noted: [configured(10), rollout({ rollingBack: "95 %" })] },
      "keeps 0 %",
    ],
    [
      "is as before, and the canary may be tried again",
      { to: 10, has: [0, 0], noted: [configured(10), guard()], allow: TRY },
      "carried out",
    ],
    // The config has changed.
    ["is the first one that is noted", { to: 10, has: [0, 0] }, "carried out"],
    [
      "is higher, and the last update has stopped half-way",
      { to: 10, has: [10, 0], noted: [configured(0)] },
      "carried out",
    ],
    [
      "is higher, and the last raise was taken back by the update itself",
      { to: 30, has: [10, 10], noted: [configured(10)] },
      "carried out",
    ],
    [
      "is lower, though a guard has taken the canary back",
      { to: 10, has: [30, 30], noted: [configured(30), guard()] },
      "carried out",
    ],
    [
      "is 0, after a guard has taken the canary back",
      { to: 0, has: [0, 0], noted: [configured(10), guard()] },
      "carried out",
    ],
    [
      "is what the clusters have, after somebody has lowered them",
      { to: 10, has: [10, 10], noted: [configured(30)] },
      "carried out",
    ],
    [
      "is higher, after a guard has taken the canary back",
      { to: 10, has: [0, 0], noted: [configured(0), guard()] },
      "refused",
    ],
    [
      "is higher, after a rollout has taken the canary back",
      { to: 10, has: [0, 0], noted: [configured(0), rolledBack] },
      "refused",
    ],
    [
      "is another one and higher, after all clusters were lowered by hand",
      { to: 10, has: [0, 0], noted: [configured(30)] },
      "refused",
    ],
    [
      "is lower in one cluster, where no guard has taken the canary back yet",
      { to: 10, has: [30, 0], noted: [configured(30), guard()] },
      "keeps 0 %",
    ],
    [
      "is lower in one cluster, while a rollout rolls back",
      { to: 10, has: [30, 0], noted: [configured(30), rollout({ rollingBack: "95 %" })] },
      "keeps 0 %",
    ],
    [
      "is higher than 0, which was configured since somebody has lowered all clusters",
      { to: 10, has: [0, 0], noted: [configured(0)] },
      "carried out",
    ],
    [
      "is higher, and the canary may be tried again",
      { to: 10, has: [0, 0], noted: [configured(0), guard(), rolledBack], allow: TRY },
      "carried out",
    ],
    [
      "is higher, and the canary may be tried again, but a rollout still rolls it back",
      { to: 10, has: [0, 0], noted: [configured(0), rollout({ rollingBack: "95 %" })], allow: TRY },
      "refused",
    ],
    [
      "is higher, and the canary may be tried again, while a rollout rolls another one back",
      {
        to: 10,
        has: [0, 0],
        noted: [configured(0), guard(), rollout({ release: "v1", rollingBack: "95 %" })],
        allow: TRY,
      },
      "carried out",
    ],
    [
      "is higher, and other rules are switched off",
      { to: 10, has: [0, 0], noted: [configured(0), guard()], allow: ["skip-phase"] },
      "refused",
    ],
    // A verdict that is none, or none any more.
    [
      "is higher, and a guard has taken another canary back",
      { to: 10, has: [0, 0], noted: [configured(0), guard({ release: `${KEY} v1 (image:v1)` })] },
      "carried out",
    ],
    [
      "is higher, and no gate has failed",
      { to: 10, has: [0, 0], noted: [configured(0), guard({ failed: undefined, does: "hold" })] },
      "carried out",
    ],
    [
      "is higher, and a new rollout has begun since",
      { to: 10, has: [0, 0], noted: [configured(0), guard(), rollout({ since: 6 })] },
      "carried out",
    ],
    [
      "is higher, and an update has tried the canary again since",
      { to: 30, has: [10, 10], noted: [configured(10), guard(), retry] },
      "carried out",
    ],
    [
      "is higher, and another gate has failed since it was tried again",
      {
        to: 30,
        has: [10, 10],
        noted: [configured(10), guard({ failed: { ...failed, at: 8 } }), retry],
      },
      "refused",
    ],
    [
      "is higher, and a rollout was rolled back before somebody has begun anew",
      { to: 30, has: [10, 10], noted: [configured(10), rolledBack] },
      "carried out",
    ],
    [
      "is higher, and a rollout of another canary was rolled back",
      { to: 10, has: [0, 0], noted: [rollout({ release: "v1", rollingBack: "95 %" })] },
      "carried out",
    ],
    [
      "is higher, and a rollout has stopped",
      { to: 10, has: [0, 0], noted: [rollout({ end: { result: "stopped", reason: "no" } })] },
      "carried out",
    ],
    [
      "is as before for another image, which nobody has taken back",
      { to: 10, has: [0, 0], noted: [configured(10, "v2 (image:fixed)")] },
      "carried out",
    ],
    [
      "is that of another stack",
      { to: 10, has: [0, 0], noted: [{ "configured-test": configured(10)["configured-prod"] }] },
      "carried out",
    ],
    // Quarantine.
    [
      "is as before, and the only cluster that has it was lowered by hand",
      { to: 10, has: [0, 0], noted: [configured(10)], quarantine: ["cluster-b"] },
      "keeps 0 %",
    ],
    [
      "is as before, and a cluster in quarantine has none",
      { to: 10, has: [10, 0], noted: [configured(10), guard()], quarantine: ["cluster-b"] },
      "carried out",
    ],
    [
      "is as before, and no cluster has it",
      { to: 10, has: [0, 0], noted: [configured(10), guard()], quarantine: clusters },
      "carried out",
    ],
    // A newer program.
    [
      "is higher, and a newer program has noted what an update has configured",
      { to: 10, has: [0, 0], noted: [configured(0, CANARY, { format: 2 })], allow: TRY },
      "refused",
    ],
    [
      "is as before, and a newer guard watches",
      { to: 10, has: [10, 0], noted: [configured(10), guard({ format: 2, failed: undefined })] },
      "refused",
    ],
    [
      "is lower in one cluster and higher in the other, and a newer guard watches",
      { to: 10, has: [30, 0], noted: [configured(30), guard({ format: 2, failed: undefined })] },
      "keeps 0 %",
    ],
    [
      "is lower, and a newer program has rolled out",
      { to: 0, has: [10, 10], noted: [{ progress: { format: 2, in: "another form" } }] },
      "carried out",
    ],
  ])("that %s: %o: %s", (_, of, expected) => {
    expect(outcome(of)).toBe(expected);
  });

  it("that comes out of quarantine is a new one there", () => {
    const decision = decideWeight(
      [
        deployedCluster("cluster-a", split("v1", "v2", 10)),
        deployedCluster("cluster-b", split("v1", "v2", 0)),
      ],
      wantedRelease(split("v1", "v2", 10)),
      new Map([
        ["cluster-a", [notes(configured(10))]],
        ["cluster-b", [notes(configured(0))]],
      ]),
      asked,
    );
    expect(decision.do).toBe("carry out");
  });

  it.each<[what: string, of: Notes, expected: string]>([
    ["cannot be read", {}, "refuse"],
    ["has been in quarantine", notes(configured(0)), "refuse"],
    ["has noted an earlier weight", notes(configured(5)), "refuse"],
    ["has noted another canary", notes(configured(10, "v1 (image:v1)")), "refuse"],
  ])(
    "does not rise that somebody has lowered in all clusters, of which one %s",
    (_, of, expected) => {
      const decision = decideWeight(
        clusters.map((name) => deployedCluster(name, split("v1", "v2", 0))),
        wantedRelease(split("v1", "v2", 10)),
        new Map([
          ["cluster-a", [notes(configured(10))]],
          ["cluster-b", [of]],
        ]),
        asked,
      );
      expect(decision.do).toBe(expected);
    },
  );

  it("falls where one host of a service has more, though others were lowered by hand", () => {
    const hosts = { ...split("v1", "v2", 30), leastWeight: 0 };
    const decision = decideWeight(
      clusters.map((name) => deployedCluster(name, hosts)),
      wantedRelease(split("v1", "v2", 10)),
      new Map(clusters.map((name) => [name, [notes(configured(30))]])),
      asked,
    );
    expect(decision).toMatchObject({
      do: "keep",
      weight: 0,
      warning: expect.stringMatching(
        /^The weight falls to 0 % though the config has 10 %/,
      ) as string,
    });
  });

  it("is kept, too, while a cluster does not answer", () => {
    const away: DeployedCluster = { name: "cluster-b", unreachable: "gone", routes: new Map() };
    const decision = decideWeight(
      [deployedCluster("cluster-a", split("v1", "v2", 0)), away],
      wantedRelease(split("v1", "v2", 10)),
      new Map([["cluster-a", [notes(configured(10))]]]),
      asked,
    );
    expect(decision).toMatchObject({ do: "keep", weight: 0 });
  });

  it("that is the first one of a service does not rise", () => {
    const fresh = clusters.map((name) => deployedCluster(name, undefined));
    const journals = new Map(clusters.map((name) => [name, [notes(guard())]]));
    expect(decideWeight(fresh, wantedRelease(split("v1", "v2", 10)), journals, asked).do).toBe(
      "carry out",
    );
  });

  it("that was promoted does not rise", () => {
    const deployed = clusters.map((name) => deployedCluster(name, split("v2")));
    const journals = new Map(clusters.map((name) => [name, [notes(configured(100))]]));
    const back = wantedRelease(split("v1", "v2", 100));
    expect(decideWeight(deployed, back, journals, asked).do).toBe("carry out");
  });
});

describe("canaries of one release", () => {
  const OTHER = "user/order-service";
  const both: Wanted = {
    ...wantedRelease(split("v1", "v2", 10)),
    routes: [KEY, OTHER].map((key, i) => ({
      ...{ stable: "v1", canary: "v2", weight: 10, key, path: `services[${i}]` },
      canaryImage: "image:v2",
    })),
  };
  const noted = configured(10, CANARY, { canaries: { [KEY]: CANARY, [OTHER]: CANARY } });
  const decideBoth = (other: number, wanted = both, before: object = noted) =>
    decideWeight(
      clusters.map((name) => {
        const { routes, ...cluster } = deployedCluster(name, split("v1", "v2", 10));
        const [route] = deployedCluster(name, split("v1", "v2", other)).routes.values();
        return {
          ...cluster,
          routes: new Map([...routes, ...(route ? [[OTHER, route] as const] : [])]),
        };
      }),
      wanted,
      new Map(clusters.map((name) => [name, [notes(before)]])),
      asked,
    );

  it("are all as low as the one that somebody has lowered", () => {
    expect(decideBoth(10).do).toBe("carry out");
    expect(decideBoth(0)).toMatchObject({ do: "keep", weight: 0 });
  });

  it("do not bring one back by another image of the other", () => {
    const before = configured(10, "v1 (image:v1)", {
      canaries: { [KEY]: "v1 (image:v1)", [OTHER]: CANARY },
    });
    expect(decideBoth(0, both, before).do).toBe("refuse");
  });

  it("have no weight of their own where they follow the entries of a chain", () => {
    const chained = {
      ...both,
      routes: both.routes.map((route) => ({
        ...route,
        role: route.key === KEY ? ("entry" as const) : ("follower" as const),
        weight: route.key === KEY ? 10 : 0,
      })),
    };
    expect(decideBoth(0, chained).do).toBe("carry out");
  });
});

describe("what an operator reads", () => {
  it("says who has taken a canary back that stays as it is, and how to go on", () => {
    const kept = decide({ to: 10, has: [0, 0], noted: [configured(10), guard()] });
    expect(kept).toEqual({
      do: "keep",
      weight: 0,
      warning: [
        "The weight stays 0 % though the config has 10 %: this canary was taken back. All else is updated.",
        "Why: the guard of cluster-b says: slow",
        "Set another version or image, or what the clusters have: pulumi config set weight 0. " +
          "To try the same canary once more in a rollout: npm run release -- rollout --stack prod --again. " +
          "If you mean it: pulumi config set --path 'allow[0]' retry-canary",
      ].join("\n"),
    });
  });

  it("gives a weight that may be configured", () => {
    const kept = decide({ to: 100, has: [33, 35], noted: [configured(100)] });
    expect(kept).toMatchObject({
      weight: 33,
      warning: expect.stringContaining("pulumi config set weight 30.") as string,
    });
  });

  it("names the clusters that somebody has lowered by hand, and who has", () => {
    const edited = (name: string, weight: number, writtenBy?: string) => {
      const cluster = deployedCluster(name, split("v1", "v2", weight));
      const routes = [...cluster.routes].map(
        ([key, route]) => [key, { ...route, writtenBy }] as const,
      );
      return { ...cluster, routes: new Map(routes) };
    };
    const decision = decideWeight(
      [edited("cluster-a", 0, "kubectl-edit"), edited("cluster-b", 5)],
      wantedRelease(split("v1", "v2", 30), ["skip-phase"]),
      new Map(clusters.map((name) => [name, [notes(configured(10))]])),
      asked,
    );
    expect(decision).toEqual({
      do: "refuse",
      problem: {
        path: "weight",
        value: 30,
        rule: `must not rise: this canary was taken back: somebody has lowered v2 of ${KEY} from 10 %: 0 % in cluster-a (written by kubectl-edit), 5 % in cluster-b`,
        fix:
          "Set another version or image, or what the clusters have: pulumi config set weight 0. " +
          "To try the same canary once more in a rollout: npm run release -- rollout --stack prod --again. " +
          "If you mean it: pulumi config set --path 'allow[1]' retry-canary",
      },
    });
  });

  it("says that a rollout has taken it back", () => {
    expect(decide({ to: 10, has: [0, 0], noted: [configured(0), rolledBack] })).toMatchObject({
      problem: {
        rule: "must not rise: this canary was taken back: a rollout has rolled it back: 95 %",
      },
    });
  });

  it("says to finish a rollout that still rolls back", () => {
    const noted = [configured(0), rollout({ rollingBack: "95 %" })];
    expect(decide({ to: 10, has: [0, 0], noted, allow: TRY })).toMatchObject({
      problem: {
        fix: expect.stringMatching(
          /^Let the rollout finish first, or finish it: npm run release -- rollout --stack prod\. /,
        ) as string,
      },
    });
  });

  it("says where a newer program has written", () => {
    const noted = [configured(0), guard({ format: 2 })];
    expect(decide({ to: 10, has: [0, 0], noted })).toEqual({
      do: "refuse",
      problem: {
        path: "weight",
        value: 10,
        rule: "must not rise by this program: a newer one has written what it does not know (guard-cluster-b in cluster-a, guard-cluster-b in cluster-b)",
        fix: "Update the program. A lower weight is always allowed.",
      },
    });
  });

  it("says that an exception that has been used is used up", () => {
    const noted = [configured(10, CANARY, { retries: true }), guard()];
    const kept = decide({ to: 10, has: [0, 0], noted, allow: TRY });
    expect(kept).toMatchObject({
      do: "keep",
      warning: expect.stringMatching(
        / retry-canary is good for one try, and the last update has had it: take it out of allow and run pulumi up first\.$/,
      ) as string,
    });
  });

  it("is what a rise has guards forget, where it is tried again", () => {
    const again = decide({ to: 10, has: [0, 0], noted: [configured(0), guard()], allow: TRY });
    expect(again).toEqual({ do: "carry out", forgives: ["cluster-b 7"] });
  });
});

describe("a note that cannot be read", () => {
  it.each(["no JSON", "{}", "7", '{"format":1,"at":1,"weight":"10"}'])(
    "counts as none: %s",
    (text) => {
      const decision = decideWeight(
        clusters.map((name) => deployedCluster(name, split("v1", "v2", 0))),
        wantedRelease(split("v1", "v2", 10)),
        new Map(
          clusters.map((name) => [
            name,
            [{ "configured-prod": text, "guard-cluster-a": text, progress: text, retry: text }],
          ]),
        ),
        asked,
      );
      expect(decision).toEqual({ do: "carry out" });
    },
  );
});
