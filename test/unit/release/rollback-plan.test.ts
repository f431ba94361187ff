import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shareOf, type DeployedCluster } from "../../../lib/deployed.ts";
import { releaseProblems } from "../../../lib/release-rules.ts";
import type { Split } from "../../../lib/weights.ts";
import { afterUpdate, planRollback, type Stop } from "../../../release/rollback-plan.ts";
import { deployedChain, wantedChain } from "../../helpers/chain.ts";
import { deployedCluster, KEY, split as v, wantedRelease } from "../../helpers/deployed.ts";

const both = (live: Split) => [deployedCluster("a", live), deployedCluster("b", live)];
const stop = (split: Split, image?: string): Stop<Split> => ({
  config: split,
  wanted: wantedRelease(split, [], image),
});
/** At 0 and at 100 %, as the command offers the configurations of the history. */
const stops = (...splits: Split[]) =>
  splits.flatMap((split) => [0, 100].map((weight) => stop({ ...split, weight })));

function steps(
  deployed: readonly DeployedCluster[],
  target: Split,
  others: readonly Stop<Split>[] = [],
) {
  return planRollback(deployed, stop(target), others).steps?.map(({ config }) => config);
}

describe("the way back", () => {
  it.each([
    ["to an earlier phase", v("v1", "v2", 30), v("v1", "v2", 10)],
    ["to nothing", v("v1", "v2", 100), v("v1", "v2", 0)],
    ["to the same", v("v1", "v2", 10), v("v1", "v2", 10)],
    ["over a promotion, where no request moves", v("v2"), v("v1", "v2", 100)],
    ["to what was there before the trial", v("v1", "v2", 0), v("v1")],
  ])("%s is one update", (_, from, target) => {
    expect(steps(both(from), target)).toEqual([target]);
  });

  it("over a promotion brings the old versions back first, with all requests where they are", () => {
    expect(steps(both(v("v2")), v("v1", "v2", 10), stops(v("v2"), v("v1", "v2")))).toEqual([
      v("v1", "v2", 100),
      v("v1", "v2", 10),
    ]);
  });

  it("from the next release first takes its canary back", () => {
    const others = stops(v("v2", "v3"), v("v1", "v2"));
    const found = steps(both(v("v2", "v3", 30)), v("v1"), others);
    expect(found?.at(0)).toEqual(v("v2", "v3", 0));
    expect(found?.at(-1)).toEqual(v("v1"));
  });

  it("leads over every promotion since", () => {
    const others = stops(v("v3"), v("v2", "v3"), v("v2"), v("v1", "v2"));
    expect(steps(both(v("v3")), v("v1", "v2", 30), others)).toEqual([
      v("v2", "v3", 100),
      v("v2", "v3", 0),
      v("v1", "v2", 100),
      v("v1", "v2", 30),
    ]);
  });

  it("is there while a cluster is down, for a lower weight", () => {
    const away = { name: "b", unreachable: "no answer in time", routes: new Map() };
    const deployed = [deployedCluster("a", v("v1", "v2", 30)), away];
    expect(steps(deployed, v("v1", "v2", 10))).toEqual([v("v1", "v2", 10)]);
    expect(steps(deployed, v("v1"), stops(v("v1", "v2")))).toBeUndefined();
  });
});

describe("no way back", () => {
  it("leads to a higher share", () => {
    const { steps: none, problems } = planRollback(
      [deployedCluster("a", v("v1", "v2", 10)), deployedCluster("b", v("v1", "v2", 30))],
      stop(v("v1", "v2", 30)),
      stops(v("v1", "v2")),
    );
    expect(none).toBeUndefined();
    expect(problems).toEqual([
      " - user/user-service in a: v2 would rise to 30 %, it has 10 %",
      "A share that rises is a release, not a rollback: change the config and raise it phase by phase.",
    ]);
  });

  it("leads to another image of the canary that serves", () => {
    const plan = planRollback(
      both(v("v1", "v2", 30)),
      stop(v("v1", "v2", 10), "image:older"),
      stops(v("v1", "v2")),
    );
    expect(plan.steps).toBeUndefined();
    expect(plan.problems).toEqual([expect.stringMatching(/canary\.image: must stay image:v2/)]);
  });

  it("leads to a version that no release has replaced", () => {
    expect(steps(both(v("v3")), v("v1"), stops(v("v3"), v("v1", "v2")))).toBeUndefined();
  });
});

describe("the way back of a chain", () => {
  const chain = (live: Split) => ["a", "b"].map((name) => deployedChain(name, live));
  const chained = (split: Split): Stop<Split> => ({ config: split, wanted: wantedChain(split) });
  const history = [v("v1", "v2"), v("v2"), v("v2", "v3")].flatMap((split) =>
    [0, 100].map((weight) => chained({ ...split, weight })),
  );
  const stepsTo = (from: Split, target: Split) =>
    planRollback(chain(from), chained(target), history).steps?.map(({ config }) => config);

  it("goes down like that of one service, over promotions too", () => {
    expect(stepsTo(v("v1", "v2", 30), v("v1", "v2", 0))).toEqual([v("v1", "v2", 0)]);
    expect(stepsTo(v("v2", "v3", 30), v("v1", "v2", 0))).toEqual([
      v("v2", "v3", 0),
      v("v1", "v2", 100),
      v("v1", "v2", 0),
    ]);
  });

  it("takes the weight to 0 before services leave it", () => {
    const { routes } = wantedChain(v("v1"));
    const without: Stop<Split> = {
      config: v("v1"),
      wanted: {
        ...wantedChain(v("v1")),
        mark: undefined,
        routes: routes.map((route) => ({ ...route, role: undefined })),
      },
    };
    const { steps } = planRollback(chain(v("v1", "v2", 30)), without, history);
    expect(steps?.map(({ config }) => config)).toEqual([v("v1", "v2", 0), v("v1")]);
  });

  it("keeps what the entries tell of the chain from step to step", () => {
    const [before] = chain(v("v1", "v2", 30));
    const [after] = afterUpdate(chain(v("v1", "v2", 30)), wantedChain(v("v1", "v2", 10)));
    for (const [key, route] of before?.routes ?? []) {
      const { role, members, mark } = after?.routes.get(key) ?? {};
      expect({ role, members, mark }).toEqual({
        role: route.role,
        members: route.members,
        mark: route.mark,
      });
    }
  });
});

const versions = fc.constantFrom("v1", "v2", "v3", "v4");
const splits = fc
  .tuple(versions, fc.option(versions, { nil: undefined }), fc.constantFrom(0, 10, 30, 100))
  .filter(([stable, canary]) => stable !== canary)
  .map(([stable, canary, weight]) => v(stable, canary, canary === undefined ? 0 : weight));

describe("every plan", () => {
  it("passes the rules of a release in each step, ends at its target, and raises no canary", () => {
    fc.assert(
      fc.property(splits, splits, fc.array(splits, { maxLength: 6 }), (from, target, history) => {
        const plan = planRollback(both(from), stop(target), stops(from, ...history));
        let at: readonly DeployedCluster[] = both(from);
        for (const { config, wanted } of plan.steps ?? []) {
          expect(releaseProblems(at, wanted)).toEqual([]);
          for (const { routes } of at) {
            const route = routes.get(KEY);
            if (route && config.canary !== undefined) {
              expect(config.weight).toBeLessThanOrEqual(shareOf(route, config.canary));
            }
          }
          at = afterUpdate(at, wanted);
        }
        if (plan.steps) expect(plan.steps.at(-1)?.config).toEqual(target);
        else expect(plan.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});
