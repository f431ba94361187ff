import { describe, expect, it } from "vitest";
import { withEvent } from "../../../release/remembered-events.ts";
import { timed, type RolloutEvent, type TimedEvent } from "../../../release/rollout-event.ts";

const T0 = Date.UTC(2026, 0, 1);
const begin: RolloutEvent = { event: "begin", release: "v2", weight: 0, resumed: false };
const look = (weight: number, text: string, since = T0): RolloutEvent => ({
  event: "look",
  weight,
  step: "wait",
  reason: "bake",
  since: new Date(since).toISOString(),
  verdicts: [{ outcome: "pass", blind: false, text }],
});

function after(...events: readonly RolloutEvent[]): readonly TimedEvent[] {
  return events.reduce<readonly TimedEvent[]>(
    (before, event, i) => withEvent(before, timed(event, T0 + i)),
    [],
  );
}
const length = (events: readonly TimedEvent[]) => JSON.stringify(events).length;

describe("remembered events", () => {
  it("are all of a rollout's, with the last look of each phase alone", () => {
    const events = after(
      begin,
      { event: "raised", weight: 10 },
      look(10, "first"),
      look(10, "second"),
      { event: "raised", weight: 30 },
      look(30, "third"),
    );
    expect(
      events.map((each) => (each.event === "look" ? each.verdicts[0]?.text : each.event)),
    ).toEqual(["begin", "raised", "second", "raised", "third"]);
  });

  it("keep a second phase of the same weight apart", () => {
    expect(after(begin, look(10, "first"), look(10, "second", T0 + 1))).toHaveLength(3);
  });

  it("start over with another rollout, and go on with one that is resumed", () => {
    const before = after(begin, { event: "raised", weight: 10 });
    const resumed = timed({ ...begin, resumed: true }, T0);
    expect(withEvent(before, resumed)).toHaveLength(3);
    expect(withEvent(before, timed(begin, T0))).toHaveLength(1);
  });

  it("stay far below what a ConfigMap holds, and lose the oldest after the first", () => {
    const many = after(
      begin,
      ...Array.from({ length: 500 }, (_, i): RolloutEvent => ({ event: "raise", weight: i })),
    );
    expect(many).toHaveLength(200);
    expect(many[0]).toMatchObject(begin);
    expect(many.at(-1)).toMatchObject({ weight: 499 });
    expect(many[1]).toMatchObject({ weight: 301 });
    const long = after(
      begin,
      ...Array.from({ length: 50 }, (_, i) => look(10, "x".repeat(20_000), T0 + i)),
      { event: "roll-back", reason: "y".repeat(900_000) },
    );
    expect(length(long)).toBeLessThan(256 * 1024 + 100);
    expect(long[0]).toMatchObject(begin);
    expect(long.at(-1)).toMatchObject({ event: "roll-back" });
    expect(length(long.slice(-1))).toBeLessThan(2_200);
  });
});
