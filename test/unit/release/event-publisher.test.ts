import { describe, expect, it } from "vitest";
import { EventPublisher } from "../../../release/event-publisher.ts";
import { notify } from "../../../release/notifications.ts";
import { timed, type RolloutEvent } from "../../../release/rollout-event.ts";

const T0 = Date.UTC(2026, 0, 1);
const raised = timed({ event: "raised", weight: 10 }, T0);
const rollBack = timed({ event: "roll-back", reason: "cluster-b: 95 %" }, T0);

function publisher(more: Partial<ConstructorParameters<typeof EventPublisher>[0]> = {}) {
  const printed: string[] = [];
  const warnings: string[] = [];
  const of = new EventPublisher({
    print: (_, line) => printed.push(line),
    notify: () => Promise.resolve([]),
    warn: (text) => warnings.push(text),
    ...more,
  });
  return { of, printed, warnings };
}

describe("an event publisher", () => {
  it("gives every sink the same event", async () => {
    const kept: string[] = [];
    const notified: RolloutEvent[] = [];
    const { of, printed, warnings } = publisher({
      append: (line) => kept.push(line),
      notify: (event) => {
        notified.push(event);
        return Promise.resolve([]);
      },
    });
    of.publish(raised);
    await of.settled();
    expect(kept).toEqual(['{"time":"2026-01-01T00:00:00.000Z","event":"raised","weight":10}']);
    expect(printed).toEqual(kept);
    expect(notified).toEqual([raised]);
    expect(warnings).toEqual([]);
  });

  it("goes on when the disk is full, and says so once", () => {
    const { of, printed, warnings } = publisher({
      append: () => {
        throw new Error("ENOSPC: no space left on device");
      },
    });
    of.publish(raised);
    of.publish(rollBack);
    expect(printed).toHaveLength(2);
    expect(warnings).toEqual(["events cannot be stored: ENOSPC: no space left on device"]);
  });

  it("waits for nobody until the end, and then says who could not be notified", async () => {
    const answer = Promise.withResolvers<readonly string[]>();
    const { of, printed, warnings } = publisher({ notify: () => answer.promise });
    of.publish(rollBack);
    expect(printed).toHaveLength(1);
    let settled = false;
    const end = of.settled().then(() => (settled = true));
    await Promise.resolve();
    expect(settled).toBe(false);
    answer.resolve(["rollout.notifications[0] does not answer: no answer in time"]);
    await end;
    expect(warnings).toEqual(["rollout.notifications[0] does not answer: no answer in time"]);
  });

  it("warns about an unreachable receiver, without its URL", async () => {
    // Port 1 of the machine itself refuses connections.
    const to = [{ url: "http://127.0.0.1:1/SECRET", format: "slack" as const, headers: {} }];
    const { of, warnings } = publisher({ notify: (event) => notify(to, event, "prod") });
    of.publish(rollBack);
    await of.settled();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^rollout\.notifications\[0\] does not answer: /);
    expect(warnings[0]).not.toContain("SECRET");
  });
});
