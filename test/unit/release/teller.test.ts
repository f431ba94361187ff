import { describe, expect, it } from "vitest";
import { notify } from "../../../release/notifications.ts";
import { timed, type RolloutEvent } from "../../../release/rollout-event.ts";
import { Teller } from "../../../release/teller.ts";

const T0 = Date.UTC(2026, 0, 1);
const raised = timed({ event: "raised", weight: 10 }, T0);
const rollBack = timed({ event: "roll-back", reason: "cluster-b: 95 %" }, T0);

function teller(more: Partial<ConstructorParameters<typeof Teller>[0]> = {}) {
  const printed: string[] = [];
  const complaints: string[] = [];
  const of = new Teller({
    print: (_, line) => printed.push(line),
    notify: () => Promise.resolve([]),
    complain: (text) => complaints.push(text),
    ...more,
  });
  return { of, printed, complaints };
}

describe("a teller", () => {
  it("tells everybody the same", async () => {
    const kept: string[] = [];
    const notified: RolloutEvent[] = [];
    const { of, printed, complaints } = teller({
      append: (line) => kept.push(line),
      notify: (event) => {
        notified.push(event);
        return Promise.resolve([]);
      },
    });
    of.tell(raised);
    await of.settled();
    expect(kept).toEqual(['{"time":"2026-01-01T00:00:00.000Z","event":"raised","weight":10}']);
    expect(printed).toEqual(kept);
    expect(notified).toEqual([raised]);
    expect(complaints).toEqual([]);
  });

  it("goes on when the disk is full, and says so once", () => {
    const { of, printed, complaints } = teller({
      append: () => {
        throw new Error("ENOSPC: no space left on device");
      },
    });
    of.tell(raised);
    of.tell(rollBack);
    expect(printed).toHaveLength(2);
    expect(complaints).toEqual(["events are not kept: ENOSPC: no space left on device"]);
  });

  it("waits for nobody until the end, and then says who could not be told", async () => {
    const answer = Promise.withResolvers<readonly string[]>();
    const { of, printed, complaints } = teller({ notify: () => answer.promise });
    of.tell(rollBack);
    expect(printed).toHaveLength(1);
    let settled = false;
    const end = of.settled().then(() => (settled = true));
    await Promise.resolve();
    expect(settled).toBe(false);
    answer.resolve(["rollout.notifications[0] does not answer: no answer in time"]);
    await end;
    expect(complaints).toEqual(["rollout.notifications[0] does not answer: no answer in time"]);
  });

  it("with a receiver that is away complains, without its URL", async () => {
    // Port 1 of the machine itself refuses connections.
    const to = [{ url: "http://127.0.0.1:1/SECRET", format: "slack" as const, headers: {} }];
    const { of, complaints } = teller({ notify: (event) => notify(to, event, "prod") });
    of.tell(rollBack);
    await of.settled();
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatch(/^rollout\.notifications\[0\] does not answer: /);
    expect(complaints[0]).not.toContain("SECRET");
  });
});
