import type { GateVerdict } from "../../release/gates/verdict.ts";
import type { ReleaseLook } from "../../release/status/look.ts";
import type { ClusterStatus } from "../../release/status/cluster-status.ts";
import type { ReleaseStatus } from "../../release/status/release-status.ts";
import { CLUSTERS, eventsOf, RELEASE, SERVICE, type Story } from "./simulated-release.ts";

const { name: service, stable, canary } = SERVICE;

function clusterIn(cluster: string, weight: number, errors: number): ClusterStatus {
  const of = (version: string, share: number, bad: number) => ({
    ...{ service, version, requests: 4_000, share, errors: bad, p50: 4, p99: 30 },
  });
  return {
    ...{ cluster, config: weight, quarantined: false, weights: { [service]: weight } },
    ...{ envoys: 12, serving: 12, drift: [], alerts: [], calls: [] },
    versions: [of(stable, 100 - weight + 0.4, 0.1), of(canary, weight - 0.4, errors)],
  };
}

/** How a simulated rollout stands: the good one in the middle of its phase of 30 %, the bad one as its gate has failed. */
export function lookOf(story: Story, more: Partial<ReleaseStatus> = {}): ReleaseLook {
  const weight = story === "good" ? 30 : 10;
  const all = eventsOf(story);
  const last = all.findLastIndex(
    (each) => each.event === "look" && each.weight === weight && each.step !== "wait",
  );
  const events = all.slice(0, last + 1);
  const phase = events.at(-1);
  if (phase?.event !== "look") throw new Error("the simulated release has no such phase");
  const since = Date.parse(phase.since);
  const now = Date.parse(phase.time);
  return {
    services: [{ key: service, stable, canary, role: undefined }],
    events,
    status: {
      ...{ stack: "prod", release: RELEASE, config: weight },
      clusters: CLUSTERS.map((cluster, i) =>
        clusterIn(cluster, weight, story === "bad" && i === 1 ? 5 : 0.1),
      ),
      period: {
        since: phase.since,
        until: now,
        seconds: (now - since) / 1000,
      },
      progress: {
        ...{ release: RELEASE, weight, since, begun: true },
        failures: story === "bad" ? { consecutive: 1, total: 1 } : { consecutive: 0, total: 0 },
      },
      watch: {
        by: "ann@laptop",
        at: phase.time,
        seconds: 4,
        stale: false,
      },
      verdicts: phase.verdicts as readonly GateVerdict[],
      next:
        story === "bad"
          ? "back to 0 % in every cluster at the next look, in 26 s, if a gate fails then. To do so at once: npm run release -- rollback --stack prod --to zero"
          : "100 %, the last phase, in every cluster at the next look, in 26 s",
      ...more,
    },
  };
}
