import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ChainPart } from "../../../../lib/chain-view.ts";
import type { GateOutcome } from "../../../../release/gates/gate.ts";
import type { GateVerdict } from "../../../../release/gates/verdict.ts";
import { phase } from "../../../../release/planner.ts";
import type { ChainStatus } from "../../../../release/status/chain-status.ts";
import type { ClusterStatus } from "../../../../release/status/cluster-status.ts";
import type { ReleaseStatus } from "../../../../release/status/release-status.ts";
import { statusText } from "../../../../release/status/status-text.ts";

const T0 = Date.UTC(2026, 0, 1);
const users = "user/user-service";
const cluster: ClusterStatus = {
  cluster: "cluster-a",
  config: 10,
  quarantined: false,
  weights: { [users]: 10 },
  envoys: 11,
  serving: 11,
  drift: [],
  alerts: [],
  versions: [
    { service: users, version: "v1", requests: 1320, share: 89.92, errors: 0, p50: 2.6, p99: 24.4 },
    { service: users, version: "v2", requests: 0, share: 0 },
  ],
};
const status: ReleaseStatus = {
  stack: "prod",
  release: `${users} v2 (image:v2)`,
  config: 10,
  clusters: [cluster],
  period: { since: "2026-01-01T00:00:30.000Z", until: T0 + 150_000, seconds: 120 },
  progress: phase(`${users} v2 (image:v2)`, 10, T0),
  watch: { by: "ann on laptop (pid 7)", at: "2026-01-01T00:02:18.000Z", seconds: 12, stale: false },
  verdicts: [],
  next: "30 % in every cluster, once all gates pass",
};
const away: ClusterStatus = {
  cluster: "cluster-b",
  config: 0,
  quarantined: true,
  weights: {},
  envoys: 0,
  serving: 0,
  drift: [],
  unreachable: "no answer in time",
};
const second = (more: Partial<ClusterStatus>) =>
  statusText({ ...status, clusters: [cluster, { ...cluster, cluster: "cluster-b", ...more }] });

describe("a status for people", () => {
  it("has the phase, a row for each cluster, and one for each version in it", () => {
    expect(statusText(status)).toBe(
      [
        "user/user-service v2 (image:v2)",
        "rollout at 10 % since 2026-01-01 00:00:00 UTC (2 min), no look at the gates has failed",
        "driven by release rollout of ann on laptop (pid 7), last look 12 s ago",
        "next: 30 % in every cluster, once all gates pass",
        "┌───────────┬────────┬────────────┬───────────────────┬────────┬───────┐",
        "│ cluster   │ config │ API server │ Envoys            │ alerts │ drift │",
        "│ cluster-a │ 10 %   │ 10 %       │ 11 of 11 serve it │ none   │ none  │",
        "└───────────┴────────┴────────────┴───────────────────┴────────┴───────┘",
        "answered by pods since 2026-01-01 00:00:30 UTC (2 min):",
        "┌───────────┬───────────────────┬─────────┬──────────┬────────┬────────┬────────┬───────┐",
        "│ cluster   │ service           │ version │ requests │ share  │ 5xx    │ p50    │ p99   │",
        "│ cluster-a │ user/user-service │ v1      │ 1320     │ 89.9 % │ 0.00 % │ 2.6 ms │ 24 ms │",
        "│ cluster-a │ user/user-service │ v2      │ 0        │ 0.0 %  │ -      │ -      │ -     │",
        "└───────────┴───────────────────┴─────────┴──────────┴────────┴────────┴────────┴───────┘",
      ].join("\n"),
    );
  });

  it("says that nobody watches a rollout that runs, and how it goes on", () => {
    const { watch, ...unwatched } = status;
    const onward = "to continue: npm run release -- rollout --stack prod\n";
    expect(statusText(unwatched)).toContain(`\nnobody watches it; ${onward}`);
    const stale = { by: watch?.by ?? "", at: "", seconds: 725, stale: true };
    expect(statusText({ ...status, watch: stale })).toContain(
      `\nnobody has watched it for 12 min: ann on laptop (pid 7) looked last; ${onward}`,
    );
    const end = { result: "done", reason: "all phases have passed" } as const;
    const progress = { ...phase(status.release, 100, T0), end };
    expect(statusText({ ...unwatched, progress })).not.toContain("nobody");
  });

  it("says what each guard does, and of which nobody has heard", () => {
    const guard = {
      cluster: "cluster-a",
      by: "the guard in cluster-a",
      at: "2026-01-01T00:02:18.000Z",
      startedAt: "2026-01-01T00:00:00.000Z",
      seconds: 12,
      stale: false,
      does: "watch",
      says: "no gate has failed",
    } as const;
    const lost = {
      ...guard,
      cluster: "cluster-b",
      by: "the guard in cluster-b",
      seconds: 725,
      stale: true,
    };
    expect(statusText({ ...status, guards: [guard, lost] })).toContain(
      "\nthe guard in cluster-a has watched since 2026-01-01 00:00:00 UTC, last look 12 s ago: watch, no gate has failed\n" +
        "the guard in cluster-b has not looked for 12 min: check its pod\n",
    );
  });

  it("says of each cluster what is wrong with it, in a line of its own", () => {
    const text = statusText({ ...status, clusters: [cluster, away] });
    expect(text).toContain(
      "│ cluster-b │ 0 % (quarantine) │ not known  │ not known         │ no Prometheus │ not known │",
    );
    expect(text).toContain("\ncluster-b cannot be read: no answer in time\n");
    const silent = statusText({ ...status, clusters: [{ ...away, silent: "no Prometheus runs" }] });
    expect(silent).toContain("\nPrometheus of cluster-b does not answer: no Prometheus runs");
    expect(silent).not.toContain("answered by pods since");
  });

  it("names a cluster that is away, with the weight that it keeps", () => {
    const { unreachable, ...rest } = away;
    expect(unreachable).toBeDefined();
    const left = { ...rest, config: 30, quarantined: false, away: true };
    const known = statusText({
      ...status,
      clusters: [cluster, { ...left, weights: { [users]: 10 } }],
    });
    expect(known).toContain(
      "│ cluster-b │ 30 % (away) │ 10 %       │ not known         │ no Prometheus │ not known │",
    );
    expect(known).toContain(
      "\ncluster-b is away and is not asked: its canaries keep 10 % of user/user-service, by the last complete update that knew it\n",
    );
    expect(statusText({ ...status, clusters: [cluster, left] })).toContain(
      "\ncluster-b is away and is not asked: its canaries keep what they had, by the last complete update that knew it\n",
    );
    const drained = statusText({ ...status, clusters: [cluster, { ...left, drained: true }] });
    expect(drained).toContain("│ cluster-b │ 30 % (away, drained) │ not known  │");
    expect(drained).toContain(
      "\ncluster-b is away and is not asked: its canaries keep what they had, by the last complete update that knew it; the others are to send it nothing (drain)\n",
    );
  });

  it("says what no pod has answered, which the pods do not know", () => {
    const all = { service: users, requests: 1320, unreached: 0, flags: {} };
    expect(second({ calls: [all] })).not.toContain("no pod answered");
    const lost = { ...all, unreached: 330, flags: { NC: 300, UH: 30 } };
    expect(
      second({ calls: [lost] })
        .split("\n")
        .at(-1),
    ).toBe(
      "no pod answered 330 of 1320 requests (25.00 %) that clients in cluster-b sent to user/user-service: NC 300, UH 30",
    );
  });

  it("shows the first lines of a drift, and counts the others", () => {
    const drift = Array.from({ length: 7 }, (_, i) => `line ${i}`);
    const lines = second({ drift }).split("\n");
    expect(lines.filter((line) => line.startsWith("drift in"))).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => `drift in cluster-b: line ${i}`),
      "drift in cluster-b: 2 more, see --json",
    ]);
    expect(second({ drift })).toContain("│ 7, see below │");
  });

  it("shows services that have different weights", () => {
    expect(second({ weights: { [users]: 10, "user/order-service": 30 } })).toContain(
      "│ 10 % and 30 % │",
    );
    expect(second({ weights: {} })).toContain("│ nothing    │");
  });

  it("says how the rollout stands", () => {
    const { progress = phase("", 0, 0), ...rest } = status;
    const line = (more: Partial<ReleaseStatus>) => statusText({ ...rest, ...more }).split("\n")[1];
    expect(line({})).toBe("no rollout of this release has started");
    expect(line({ forgotten: "forbidden" })).toBe(
      "it is not known whether a rollout is running: forbidden",
    );
    expect(line({ progress: { ...progress, rollingBack: "cluster-b: 95 %" } })).toBe(
      "rollout is being rolled back: cluster-b: 95 %",
    );
    const end = { result: "done", reason: "all phases have passed" } as const;
    expect(line({ progress: { ...progress, end } })).toBe("rollout done: all phases have passed");
    const changed = { from: 100, ended: "2026-01-01T00:00:00.000Z", to: [30] };
    expect(line({ progress: { ...progress, end }, changed })).toBe(
      "the rollout ended with 100 % at 2026-01-01T00:00:00.000Z (done: all phases have passed); since then the weight was changed to 30 %",
    );
    expect(line({ progress: { ...progress, end }, changed: { from: 100, to: [30, 10] } })).toBe(
      "the rollout ended with 100 % (done: all phases have passed); since then the weight was changed to 30 % and 10 %",
    );
  });

  const part = (service: string, more: Partial<ChainPart> = {}): ChainPart[] =>
    ["cluster-a", "cluster-b"].map((name) => ({
      ...{ service, role: "follower", cluster: name, stable: "v1", canary: "v2", share: 10 },
      ...more,
    }));

  it("has a chain as a table, and its two ways", () => {
    const chain: ChainStatus = {
      mark: "x-istio-canary",
      services: [
        ...part("shop/users", { canary: undefined, share: 0 }),
        ...part("shop/orders"),
        ...part("shop/front", { role: "entry" }),
      ],
    };
    const shown = `
chain, marked by x-istio-canary:
┌─────────────┬──────────┬────────┬────────┬──────────────────────┬───────┐
│ service     │ role     │ stable │ canary │ clusters             │ share │
│ shop/front  │ entry    │ v1     │ v2     │ cluster-a, cluster-b │ 10 %  │
│ shop/orders │ follower │ v1     │ v2     │ cluster-a, cluster-b │ 10 %  │
│ shop/users  │ follower │ v1     │ none   │ cluster-a, cluster-b │ none  │
└─────────────┴──────────┴────────┴────────┴──────────────────────┴───────┘
requests    90 %             10 %, marked
            │                │
entries     shop/front v1    shop/front v2
            ▼                ▼
followers   shop/orders v1   shop/orders v2
            shop/users v1    shop/users v1, no canary
`;
    expect(statusText({ ...status, chain })).toContain(shown);
    const docs = readFileSync(new URL("../../../../docs/release.md", import.meta.url), "utf8");
    expect(docs).toContain(shown);
  });

  it("has one way through a chain without canaries, and entries below each other", () => {
    const none = { canary: undefined, share: 0 };
    const services = [
      ...part("shop/b", { ...none, role: "entry" }),
      ...part("shop/a", { ...none, role: "entry" }),
      ...part("shop/c", none),
    ];
    expect(statusText({ ...status, chain: { services } })).toContain(
      `
requests    100 %
            │
entries     shop/a v1
            shop/b v1
            ▼
followers   shop/c v1
`,
    );
  });

  it("stays short with many services", () => {
    const many = Array.from({ length: 20 }, (_, i) => `shop/s${String(i).padStart(2, "0")}`);
    const services = many.flatMap((name, i) => part(name, i === 0 ? { role: "entry" } : {}));
    const verdict = (name: string, outcome: GateOutcome): GateVerdict => ({
      ...{ cluster: "cluster-a", service: name, gate: "latency", judgement: undefined },
      ...{ outcome, blind: false, text: `${name}: ${outcome}` },
    });
    const text = statusText({
      ...status,
      release: many.map((name) => `${name} v2 (image:v2)`).join(", "),
      chain: { services },
      verdicts: many.flatMap((name, i) => [
        verdict(name, "pass"),
        verdict(name, i === 7 ? "hold" : "pass"),
      ]),
    });
    const lines = text.split("\n");
    expect(lines[0]).toBe(
      "shop/s00 v2 (image:v2), shop/s01 v2 (image:v2), shop/s02 v2 (image:v2), and 17 more",
    );
    expect(lines.slice(-2)).toEqual(["hold shop/s07: hold", "pass 39 gates, see --json"]);
    expect(lines.length).toBeLessThan(70);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(120);
  });

  it("says from when on requests are counted, who has paused, and what the gates say", () => {
    const text = statusText({
      ...status,
      period: { ...status.period, seconds: 0 },
      paused: "paused by ann@laptop",
      verdicts: [
        {
          ...{ cluster: "cluster-a", service: users, gate: "share", judgement: undefined },
          ...{ outcome: "hold", blind: false, text: "cluster-a: no requests yet" },
        },
      ],
    });
    expect(text.split("\n").slice(-2)).toEqual([
      "requests are counted from 2026-01-01 00:00:30 UTC on",
      "hold cluster-a: no requests yet",
    ]);
    expect(text.split("\n")[4]).toBe("paused by ann@laptop");
  });
});
