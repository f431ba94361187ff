import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pooledDecisions, pooledVerdict } from "../../../../release/gates/pooling.ts";
import { gatesOf, type Reading } from "../../../../release/gates/verdict.ts";
import { schema } from "../../../../stacks/schema.ts";

const [gate] = gatesOf(schema.rollout.parse({}).gates);
if (!gate) throw new Error("no gate");
const confidence = { minSamples: 100, risk: 0.001 };
const names = ["cluster-a", "cluster-b", "cluster-c"];

/** Bad requests and all of the canary; stable has ten times as many, of which 1 in 1000 is bad. */
function reading(i: number, hits: number, trials: number, more: Partial<Reading> = {}): Reading {
  return {
    cluster: names[i] ?? "",
    ...{ service: "user/user-service", version: "v2", gate: "successRate" },
    counts: {
      canary: { hits, trials },
      stable: { hits: Math.round(trials / 100), trials: 10 * trials },
    },
    ...more,
  };
}
const judge = (all: readonly Reading[]) =>
  all.map((each) => pooledVerdict(gate, each, all, 10, confidence));
const outcomes = (all: readonly Reading[]) => judge(all).map(({ outcome }) => outcome);

describe("little traffic", () => {
  it("passes in a cluster with the requests of all", () => {
    const all = [reading(0, 0, 300), reading(1, 0, 60), reading(2, 0, 0)];
    const [, second] = judge(all);
    expect(outcomes(all)).toEqual(["pass", "pass", "pass"]);
    expect(second?.text).toMatch(
      /^cluster-b: success rate .* of 60 requests, .*; too few: 60 of 100 requests; all clusters together: success rate .* of 360 requests, at least 98\.9 %$/,
    );
  });

  it("passes with many small clusters, none of which has enough", () => {
    const all = names.map((_, i) => reading(i, 0, 150));
    expect(outcomes(all)).toEqual(["pass", "pass", "pass"]);
    const few = names.map((_, i) => reading(i, 0, 40));
    expect(outcomes(few)).toEqual(["hold", "hold", "hold"]);
  });

  it("fails in one cluster by its own few requests, whatever the others have", () => {
    const all = [reading(0, 0, 5000), reading(1, 12, 30), reading(2, 0, 5000)];
    expect(outcomes(all)).toEqual(["pass", "fail", "pass"]);
  });

  it("is no reason to take the word of clusters for one that nobody has counted", () => {
    const silent = { counts: undefined, silent: "no answer" };
    const all = [reading(0, 0, 5000), reading(1, 0, 60), reading(2, 0, 0, silent)];
    expect(outcomes(all)).toEqual(["pass", "hold", "hold"]);
  });

  it("is no reason to pass where all together are bad", () => {
    const all = [reading(0, 6, 90), reading(1, 5, 90), reading(2, 6, 90)];
    expect(outcomes(all)).not.toContain("pass");
  });

  it("changes nothing of what a cluster's own requests decide", () => {
    const count = fc
      .integer({ min: 0, max: 2000 })
      .chain((trials) =>
        fc.record({ hits: fc.integer({ min: 0, max: trials }), trials: fc.constant(trials) }),
      );
    fc.assert(
      fc.property(fc.array(count, { minLength: 3, maxLength: 3 }), (counts) => {
        const all = counts.map(({ hits, trials }, i) => reading(i, hits, trials));
        const alone = all.map((each) => pooledVerdict(gate, each, [each], 10, confidence).outcome);
        outcomes(all).forEach((outcome, i) => {
          if (alone[i] !== "hold") expect(outcome).toBe(alone[i]);
          else expect(outcome).not.toBe("fail");
        });
      }),
      { numRuns: 200 },
    );
  });

  it("stops a good canary no more often than the risk allows, where clusters fail at different rates", () => {
    let [state, stopped] = [1, 0];
    /** Uniform in 0 to 1, always the same numbers. */
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const risk = 0.05 / pooledDecisions(3);
    for (let i = 0; i < 200; i += 1) {
      // Each cluster has its own share of failures, the same for both versions.
      const shares = names.map((_, n) => 0.005 * n);
      const now = shares.map(() => ({ canary: [0, 0], stable: [0, 0] }));
      const draw = (count: number[], requests: number, share: number) => {
        for (let k = 0; k < requests; k += 1) count[0] = (count[0] ?? 0) + Number(random() < share);
        count[1] = (count[1] ?? 0) + requests;
      };
      let failed = false;
      for (let step = 0; step < 20 && !failed; step += 1) {
        const all = now.map(({ canary, stable }, n) => {
          draw(canary, 5, shares[n] ?? 0);
          draw(stable, 45, shares[n] ?? 0);
          const of = ([hits = 0, trials = 0]: number[]) => ({ hits, trials });
          return reading(n, 0, 0, { counts: { canary: of(canary), stable: of(stable) } });
        });
        failed = all.some(
          (each) =>
            pooledVerdict(gate, each, all, 10, { minSamples: 100, risk }).outcome === "fail",
        );
      }
      stopped += Number(failed);
    }
    expect(stopped).toBeLessThanOrEqual(2);
  });
});
