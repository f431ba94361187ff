import { describe, expect, it } from "vitest";
import { timed } from "../../../../release/rollout-event.ts";
import { badgeOf } from "../../../../release/status/badge.ts";
import { headline } from "../../../../release/status/headline.ts";
import type { ReleaseStatus } from "../../../../release/status/release-status.ts";
import { lookOf } from "../../../helpers/simulated-look.ts";
import { RELEASE } from "../../../helpers/simulated-release.ts";

const good = lookOf("good");
const { progress, clusters } = good.status;
if (!progress) throw new Error("the simulated rollout does not run");
const [first, second] = clusters;
if (!first || !second) throw new Error("the simulated release has two clusters");

const ended = (result: "done" | "rolled-back" | "stopped"): Partial<ReleaseStatus> => ({
  progress: { ...progress, end: { result, reason: "why" } },
  verdicts: [],
});
/** A status in which no rollout is remembered. */
function without(key: "progress" | "watch"): ReleaseStatus {
  return Object.fromEntries(
    Object.entries(good.status).filter(([name]) => name !== key),
  ) as unknown as ReleaseStatus;
}

describe("a headline", () => {
  it.each<[string, Partial<ReleaseStatus>, string, string]>([
    ["a running rollout", {}, "open", "Rolling out: the canary gets 30 % of the requests"],
    [
      "a paused one",
      { paused: "paused by ann" },
      "open",
      "Paused: the canary gets 30 % of the requests",
    ],
    [
      "a canary that is taken back",
      { progress: { ...progress, rollingBack: "it failed" } },
      "bad",
      "Rolling back: the canary gets 30 % of the requests",
    ],
    [
      "its end",
      ended("done"),
      "good",
      "Done: the canary gets 100 % of the requests in every cluster",
    ],
    [
      "a rollback",
      ended("rolled-back"),
      "bad",
      "Rolled back: the canary gets 0 % of the requests in every cluster",
    ],
    ["one that was stopped", ended("stopped"), "open", "Stopped: the weight stays as it is"],
    [
      "another weight since its end",
      { ...ended("done"), changed: { from: 100, to: [30] } },
      "open",
      "The weight was changed after the rollout: the canary gets 30 % of the requests",
    ],
    [
      "a journal that cannot be read",
      { forgotten: "no cluster answers" },
      "bad",
      "It is not known whether a rollout is running",
    ],
    [
      "clusters that differ",
      { clusters: [first, { ...second, weights: { "user/user-service": 0 } }] },
      "open",
      "Rolling out: the canary gets 30 % and 0 % of the requests",
    ],
    [
      "a cluster in quarantine, whose share is its own matter",
      {
        clusters: [first, { ...second, quarantined: true, weights: { "user/user-service": 0 } }],
      },
      "open",
      "Rolling out: the canary gets 30 % of the requests",
    ],
  ])("tells of %s", (_, more, kind, title) => {
    expect(headline(lookOf("good", more))).toMatchObject({ kind, title });
  });

  it("tells of no rollout", () => {
    const { title, attention } = headline({ ...good, status: without("progress") });
    expect(title).toBe("No rollout: the canary gets 30 % of the requests");
    expect(attention).toEqual([]);
  });

  it("names the cluster whose gate fails, and why, before all else", () => {
    const { kind, title, attention } = headline(lookOf("bad"));
    expect({ kind, title }).toEqual({
      kind: "bad",
      title: "A gate fails in cluster-b, at 10 % of the requests",
    });
    expect(attention).toEqual([
      expect.stringMatching(/^cluster-b: success rate of v2 of user\/user-service: 95\.0 %/),
    ]);
  });

  it("says what needs attention, and nothing where all is well", () => {
    expect(headline(good).attention).toEqual([]);
    const { attention } = headline({
      ...good,
      events: [
        ...good.events,
        timed({ event: "raise-failed", weight: 100, reason: " - cluster-b: too few pods" }, 0),
      ],
      status: {
        ...without("watch"),
        clusters: [
          { ...first, alerts: ["CanaryLatency"] },
          { ...second, unreachable: "connection refused", drift: ["v1 runs another image"] },
        ],
        guards: [
          {
            ...{ cluster: "cluster-a", by: "the guard in cluster-a", at: "", seconds: 300 },
            ...{ stale: true, startedAt: "", does: "watch", says: "no gate has failed" },
          },
        ],
      },
    });
    expect(attention).toEqual([
      "not raised to 100 %:\n - cluster-b: too few pods",
      "cluster-b cannot be read: connection refused",
      "drift in cluster-b: v1 runs another image",
      "alerts in cluster-a: CanaryLatency",
      "nobody watches it; to continue: npm run release -- rollout --stack prod",
      "the guard in cluster-a has not looked for 5 min: check its pod",
    ]);
  });

  it("forgets a refusal once a later step has worked", () => {
    const { attention } = headline({
      ...good,
      events: [
        ...good.events,
        timed({ event: "raise-failed", weight: 100, reason: "no" }, 0),
        timed({ event: "raised", weight: 100 }, 1),
      ],
    });
    expect(attention).toEqual([]);
  });

  it("makes a badge", () => {
    expect(badgeOf(lookOf("good", ended("done")))).toEqual({
      schemaVersion: 1,
      label: "release prod",
      message: "Done: the canary gets 100 % of the requests in every cluster",
      color: "green",
    });
    expect(headline(good).says).toContain(RELEASE);
  });
});
