import { describe, expect, it } from "vitest";
import type { DeployedCluster, DeployedRoute } from "../../../lib/deployed.ts";
import { problemLine } from "../../../lib/problems.ts";
import { type Exception } from "../../../lib/exceptions.ts";
import {
  falls,
  releaseProblems,
  rises,
  type Wanted,
  type WantedRoute,
} from "../../../lib/release-rules.ts";

const ENTRY = "web/front";
const FOLLOWER = "web/orders";

function deployedRoute(over: Partial<DeployedRoute> = {}): DeployedRoute {
  return {
    stable: "v1",
    canary: "v2",
    weight: 0,
    generation: 1,
    replaces: undefined,
    rules: [],
    images: {},
    ...over,
  };
}

/** A cluster whose entry has the weight; followers never have one. */
function cluster(
  name: string,
  weight: number,
  follower: Partial<DeployedRoute> = {},
): DeployedCluster {
  const members = [ENTRY, FOLLOWER];
  return {
    name,
    unreachable: undefined,
    routes: new Map([
      [ENTRY, deployedRoute({ weight, role: "entry", members, mark: "x-mark" })],
      [FOLLOWER, deployedRoute({ role: "follower", ...follower })],
    ]),
  };
}
const both = (weight: number, follower?: Partial<DeployedRoute>) => [
  cluster("a", weight, follower),
  cluster("b", weight, follower),
];

function wantedRoute(key: string, i: number, over: Partial<WantedRoute>): WantedRoute {
  return {
    key,
    path: `services[${i}]`,
    stable: "v1",
    canary: "v2",
    canaryImage: undefined,
    weight: 0,
    ...over,
  };
}

interface To {
  readonly entry?: Partial<WantedRoute>;
  readonly follower?: Partial<WantedRoute> | undefined;
  readonly more?: readonly WantedRoute[];
  readonly over?: Partial<Wanted>;
}

function wanted(weight: number, { entry, follower = {}, more = [], over }: To = {}): Wanted {
  return {
    phases: [10, 30, 100],
    allow: [],
    quarantine: [],
    mark: "x-mark",
    routes: [
      wantedRoute(ENTRY, 0, { weight, role: "entry", ...entry }),
      wantedRoute(FOLLOWER, 1, { role: "follower", ...follower }),
      ...more,
    ],
    ...over,
  };
}

const lines = (deployed: readonly DeployedCluster[], to: Wanted) =>
  releaseProblems(deployed, to).map(problemLine);

/** Without a canary, and v2 as the one version. */
const promoted = { stable: "v2", canary: undefined };
const next = { stable: "v2", canary: "v3" };
/** All services as they are after a promotion. */
const bothPromoted = both(0, promoted).map((each) => ({
  ...each,
  routes: new Map([...each.routes].map(([key, route]) => [key, { ...route, ...promoted }])),
}));
const stranger = (role: "follower" | undefined) => wantedRoute("web/stock", 2, { role });
const without = { canary: undefined };

describe("a release over a chain", () => {
  it.each<[string, readonly DeployedCluster[], Wanted]>([
    ["the next phase", both(10), wanted(30)],
    ["going back", both(30), wanted(0)],
    ["promotion of all", both(100), wanted(0, { entry: promoted, follower: promoted })],
    ["back from a promotion", bothPromoted, wanted(100)],
    [
      "the rest of the way back from a promotion",
      [cluster("a", 100, promoted), cluster("b", 100, promoted)],
      wanted(100),
    ],
    ["the end of a trial", both(0), wanted(0, { entry: without, follower: without })],
    [
      "a new follower while nothing is marked",
      both(0),
      wanted(0, { more: [stranger("follower")] }),
    ],
    ["a first canary of a follower with the first phase", both(0, without), wanted(10)],
    [
      "a follower less while nothing is marked",
      both(0),
      wanted(0, { over: { routes: wanted(0).routes.slice(0, 1) } }),
    ],
    ["another mark while nothing is marked", both(0), wanted(0, { over: { mark: "x-other" } })],
    ["a new cluster", [cluster("a", 10), { ...cluster("b", 10), routes: new Map() }], wanted(10)],
  ])("allows %s", (_, from, to) => {
    expect(lines(from, to)).toEqual([]);
  });

  it.each<[string, readonly DeployedCluster[], Wanted, Exception, RegExp]>([
    [
      "a follower less in mid-release",
      both(10),
      wanted(10, { over: { routes: wanted(10).routes.slice(0, 1) } }),
      "change-chain",
      /^ - services: must keep web\/orders while entries of the chain send 10 % of the requests to canaries.*Take the weight back to 0 first\. If you mean it: pulumi config set --path 'allow\[0\]' change-chain$/,
    ],
    [
      "a follower more in mid-release",
      both(10),
      wanted(10, { more: [stranger("follower")] }),
      "change-chain",
      /^ - services\[2\]: must not be added while entries of the chain send 10 %/,
    ],
    [
      "a canary of a follower in mid-release",
      both(10, without),
      wanted(10),
      "change-chain",
      /^ - services\[1\]\.canary\.version: must not be added while/,
    ],
    [
      "a canary of a follower less in mid-release",
      both(30),
      wanted(30, { follower: without }),
      "change-canary",
      /^ - services\[1\]\.canary\.version: must stay v2 while it serves 30 % of web\/orders in a, b/,
    ],
    [
      "promotion together with the next canaries",
      both(100),
      wanted(0, { entry: next, follower: next }),
      "change-chain",
      /^ - services\[1\]\.canary\.version: must not be added while entries of the chain send 100 %/,
    ],
    [
      "another mark in mid-release",
      both(10),
      wanted(10, { over: { mark: "x-other" } }),
      "change-chain",
      /^ - chain\.mark: must stay x-mark while/,
    ],
    [
      "no chain any more in mid-release",
      both(10),
      wanted(10, {
        entry: { role: undefined },
        follower: { role: undefined, weight: 10 },
        over: { mark: undefined },
      }),
      "change-chain",
      /^ - chain\.entries: must keep web\/front in the role entry while its canary serves 10 %/,
    ],
    [
      "a follower that becomes an entry in mid-release",
      both(10),
      wanted(10, { follower: { role: "entry", weight: 10 } }),
      "change-chain",
      /^ - chain\.entries: must keep web\/orders in the role follower while its canary serves 10 %/,
    ],
    [
      "promotion of the entry alone",
      both(100),
      wanted(0, { entry: promoted }),
      "change-chain",
      /^ - services\[1\]\.stable\.version: must become v2 together with web\/front/,
    ],
    [
      "promotion of a follower alone",
      both(100),
      wanted(100, { follower: promoted }),
      "change-chain",
      /^ - services\[0\]\.stable\.version: must become v2 together with web\/orders/,
    ],
    [
      "promotion of a follower before 100 %",
      both(30),
      wanted(0, { entry: promoted, follower: promoted }),
      "change-stable",
      /^ - services\[0\]\.stable\.version: must stay v1 until v2 serves 100 %/,
    ],
  ])("refuses %s, and says how to do it all the same", (_, from, to, exception, line) => {
    const problems = lines(from, to);
    expect(problems[0]).toMatch(line);
    const allowed = lines(from, { ...to, allow: [exception] });
    expect(allowed).not.toContain(problems[0]);
  });

  it("counts what clients of any cluster have marked", () => {
    const quarantined = [cluster("a", 10), cluster("b", 0)];
    const to = wanted(10, { follower: without, over: { quarantine: ["b"] } });
    expect(lines(quarantined, to)).toEqual([
      expect.stringMatching(/must stay v2 while it serves 10 % of web\/orders in a, b/),
    ]);
  });

  it("moves the weights of the entry alone", () => {
    const moved = (found: ReturnType<typeof rises>) =>
      found.map(({ cluster: at, wanted: to }) => `${to.key} in ${at}`);
    expect(moved(rises(both(10), wanted(30)))).toEqual([`${ENTRY} in a`, `${ENTRY} in b`]);
    expect(moved(falls(both(10), wanted(0)))).toEqual([`${ENTRY} in a`, `${ENTRY} in b`]);
  });

  it("takes a weight away that somebody has given a follower", () => {
    expect(falls(both(10, { weight: 5 }), wanted(10)).map(({ wanted: to }) => to.key)).toEqual([
      FOLLOWER,
      FOLLOWER,
    ]);
  });
});
