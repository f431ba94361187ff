import { describe, expect, it } from "vitest";
import { gatesAt } from "../../../release/gates/verdict.ts";
import { bakeAt } from "../../../release/planner.ts";
import { planOf } from "../../../release/release-settings.ts";
import { settings } from "../../helpers/fixtures.ts";
import { builtInGatesBut } from "../../helpers/gate-readings.ts";
import { schema } from "../../../stacks/schema.ts";

const url = "https://shop.example.com/{{version}}/{{since}}";
const rolloutOf = (rollout: object) => schema.rollout.parse(rollout);
const plan = (rollout: object) => planOf({ ...settings(), rollout: rolloutOf(rollout) }, "prod");

describe("what differs in single phases", () => {
  it("is their bake time", () => {
    const { bakeMs, ...more } = plan({ bake: "10m", at: [{ weight: 30, bake: "1h" }] });
    const bakes = [0, 10, 30, 100].map((weight) => bakeAt({ bakeMs, ...more }, weight));
    expect(bakes).toEqual([0, 600_000, 3_600_000, 600_000]);
    expect(bakeAt(plan({ trial: "5m", at: [{ weight: 30, bake: "1h" }] }), 0)).toBe(300_000);
  });

  it("is whether somebody must approve", () => {
    const at = [
      { weight: 10, approval: false },
      { weight: 30, approval: true },
      { weight: 100, bake: "1h" },
    ];
    expect(plan({ approval: [10, 100], at }).approval).toEqual([30, 100]);
    expect(plan({ approval: [100] }).approval).toEqual([100]);
  });

  it("are the limits of gates, and how sure they must be", () => {
    const rollout = rolloutOf({
      gates: {
        latency: { within: "250ms", precision: 2 },
        queries: [{ name: "mine", bad: "bad", all: "all" }],
        web: [{ name: "orders", url, atLeast: 90 }],
      },
      at: [
        {
          weight: 100,
          precision: 1,
          gates: { successRate: { atLeast: 99.9 }, orders: { margin: 0, precision: 3 } },
        },
      ],
    });
    const here = gatesAt(rollout, 100);
    expect(here.successRate).toMatchObject({ atLeast: 99.9, margin: 1, precision: 1 });
    expect(here.latency).toMatchObject({ within: "250ms", atLeast: 99, precision: 1 });
    expect(here.queries).toMatchObject([{ name: "mine", atLeast: 99, precision: 1 }]);
    expect(here.web).toMatchObject([{ name: "orders", atLeast: 90, margin: 0, precision: 3 }]);
    expect({ ...here, ...pick(rollout.gates) }).toEqual(rollout.gates);
    expect(gatesAt(rollout, 30)).toEqual(rollout.gates);
  });

  it.each(builtInGatesBut("unreached", "share"))("are those of %s, as the config says", (gate) => {
    const rollout = rolloutOf({ at: [{ weight: 10, gates: { [gate]: { atLeast: 50 } } }] });
    expect(gatesAt(rollout, 10)).toMatchObject({ [gate]: { atLeast: 50 } });
  });
});

/** The gates that have limits. */
function pick({ successRate, latency, queries, web }: ReturnType<typeof gatesAt>) {
  return { successRate, latency, queries, web };
}
