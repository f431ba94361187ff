import { randomLcg, randomNormal } from "d3-random";
import type { Range, Series } from "../../fleet/prometheus.ts";
import { verdict, type Gate, type GateVerdict } from "../../release/gates/verdict.ts";
import { collectReport, type RangeMetrics } from "../../release/report/collect.ts";
import type { ReportData } from "../../release/report/report-data.ts";
import { timed, type RolloutEvent, type TimedEvent } from "../../release/rollout-event.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const T0 = Date.UTC(2026, 10, 24, 15, 20);
export const SERVICE = { name: "user/user-service", stable: "v1", canary: "v2" };
export const CLUSTERS = ["cluster-a", "cluster-b"] as const;
export const RELEASE = "user/user-service v2 (registry.example.com/user-service:2.0.1)";
/** The second cluster's API server has each weight so much later. */
export const SKEW_MS = 2 * SECOND;
/** Requests per second in one cluster. */
const RATE = 40;
/** Over this time Prometheus counts what it gives as a share. */
const WINDOW_MS = MINUTE;

/** When the alert about the bad canary fires. */
export const ALERT_STRETCH = [T0 + 3 * MINUTE, T0 + 4 * MINUTE] as const;

/** A rollout whose canary is good, or answers 5 % of the requests in the second cluster with 500. */
export type Story = "good" | "bad";

/** When all API servers have which weight. */
type Change = readonly [at: number, weight: number];

function changesOf(story: Story): readonly Change[] {
  return story === "good"
    ? [
        [T0, 0],
        [T0 + 15 * SECOND, 10],
        [T0 + 11 * MINUTE, 30],
        [T0 + 22 * MINUTE, 100],
      ]
    : [
        [T0, 0],
        [T0 + 15 * SECOND, 10],
        [T0 + 5 * MINUTE, 0],
      ];
}

const GATES: readonly Gate[] = [
  { kind: "bad", dryRun: false, name: "successRate", limits: { most: 1, margin: 1, precision: 4 } },
  { kind: "bad", dryRun: false, name: "latency", limits: { most: 1, margin: 1, precision: 4 } },
  { kind: "share", dryRun: false, name: "share", tolerance: 5 },
];

const errorsOf = (story: Story, cluster: string, version: string) =>
  story === "bad" && cluster === CLUSTERS[1] && version === SERVICE.canary ? 0.05 : 0.001;

/** What the gates say after so many seconds of a phase. */
function verdicts(story: Story, weight: number, seconds: number): readonly GateVerdict[] {
  const requests = RATE * seconds;
  const canary = Math.round((requests * weight) / 100);
  return CLUSTERS.flatMap((cluster) =>
    GATES.map((gate) => {
      const bad = gate.name === "successRate" ? errorsOf(story, cluster, SERVICE.canary) : 0.002;
      const counts =
        gate.kind === "share"
          ? { canary: { hits: canary + 3, trials: requests }, stable: { hits: 0, trials: 0 } }
          : {
              canary: { hits: Math.round(canary * bad), trials: canary },
              stable: {
                hits: Math.round((requests - canary) * 0.001),
                trials: requests - canary,
              },
            };
      const reading = { cluster, service: SERVICE.name, version: SERVICE.canary, gate: gate.name };
      return verdict(gate, { ...reading, counts }, weight, { risk: 0.0001, minSamples: 100 });
    }),
  );
}

/** The events of a rollout, as `rollout --events` writes them. */
export function eventsOf(story: Story): readonly TimedEvent[] {
  const events: TimedEvent[] = [];
  const tell = (at: number, event: RolloutEvent) => void events.push(timed(event, at));
  const look = (
    at: number,
    since: number,
    weight: number,
    step: "wait" | "raise" | "roll-back",
  ) => {
    tell(at, {
      event: "look",
      weight,
      step,
      reason: "bake",
      since: new Date(since).toISOString(),
      verdicts: verdicts(story, weight, Math.max(1, Math.floor((at - since) / SECOND))),
    });
  };
  tell(T0, { event: "begin", release: RELEASE, weight: 0, resumed: false });
  const [, ...steps] = changesOf(story);
  steps.forEach(([at, weight], i) => {
    const next = steps[i + 1]?.[0] ?? at + 10 * MINUTE;
    if (weight > 0) {
      const raised = at + 12 * SECOND;
      tell(at - 6 * SECOND, { event: "raise", weight });
      tell(raised, { event: "raised", weight });
      look(raised + MINUTE, raised, weight, "wait");
      look(next - 7 * SECOND, raised, weight, "raise");
      return;
    }
    const reason =
      verdicts(story, 10, 270).find(({ outcome }) => outcome === "fail")?.text ?? "nothing failed";
    tell(at - 4 * SECOND, { event: "roll-back", reason });
    tell(at + 9 * SECOND, { event: "rolled-back" });
    tell(at + 9 * SECOND, { event: "end", result: "rolled-back", reason });
  });
  if (story === "good") {
    const reason = "all phases have passed";
    tell((steps.at(-1)?.[0] ?? T0) + 10 * MINUTE, { event: "end", result: "done", reason });
  }
  return events;
}

/** Canary's share from 0 to 1 as an API server has it. */
function weightAt(changes: readonly Change[], time: number): number {
  return (changes.findLast(([at]) => at <= time)?.[1] ?? 0) / 100;
}

/** A cluster's Prometheus during a rollout: it answers by the recording rule that a query names. */
export class SimulatedPrometheus implements RangeMetrics {
  readonly asked: string[] = [];
  readonly #cluster: string;
  readonly #story: Story;
  readonly #hasRules: boolean;

  /** @param hasRules whether what the rules record is there, or only what they are made of */
  constructor(cluster: string, story: Story, hasRules = true) {
    this.#cluster = cluster;
    this.#story = story;
    this.#hasRules = hasRules;
  }

  queryRange(promql: string, range: Range): Promise<readonly Series[]> {
    this.asked.push(promql);
    if (!this.#hasRules && promql.startsWith("istio_canary:")) return Promise.resolve([]);
    if (promql.startsWith("ALERTS")) return Promise.resolve(this.#alerts(range));
    const late = this.#cluster === CLUSTERS[1] ? SKEW_MS : 0;
    const changes = changesOf(this.#story).map(([at, weight]): Change => [at + late, weight]);
    const noise = randomNormal.source(randomLcg(promql.length / 1000))(0, 1);
    const smooth = (time: number) => {
      const parts = Array.from({ length: 12 }, (_, i) =>
        weightAt(changes, time - (i * WINDOW_MS) / 12),
      );
      return parts.reduce((sum, part) => sum + part, 0) / parts.length;
    };
    const series = (version: string, of: (time: number) => number): Series => {
      const points: [number, number][] = [];
      for (let time = range.from; time <= range.to; time += range.stepMs) {
        points.push([time, of(time)]);
      }
      return { labels: { destination_version: version }, points };
    };
    const [stable, canary] = [SERVICE.stable, SERVICE.canary];
    const served = (version: string, time: number) =>
      version === canary ? smooth(time) : 1 - smooth(time);
    const both = (of: (version: string, time: number) => number) =>
      [stable, canary].map((version) => series(version, (time) => of(version, time)));
    /** A version without requests has no such number. */
    const ifServed = (of: (version: string, time: number) => number) =>
      both((version, time) =>
        served(version, time) > 0.001 ? Math.max(0, of(version, time)) : Number.NaN,
      );
    if (promql.includes("weight")) {
      const exact = (time: number) => weightAt(changes, time);
      return Promise.resolve([series(stable, (time) => 1 - exact(time)), series(canary, exact)]);
    }
    if (/share:ratio|reporter="source"/.test(promql)) {
      const off = new Map<number, number>();
      const share = (time: number) => {
        const known =
          off.get(time) ?? noise() * 0.008 * (smooth(time) > 0 && smooth(time) < 1 ? 1 : 0);
        off.set(time, known);
        return Math.min(1, Math.max(0, smooth(time) + known));
      };
      return Promise.resolve(
        both((version, time) => (version === canary ? share(time) : 1 - share(time))),
      );
    }
    if (/errors:ratio|response_code/.test(promql)) {
      return Promise.resolve(
        ifServed((version) => {
          const rate = errorsOf(this.#story, this.#cluster, version);
          return rate + noise() * Math.sqrt(rate / 400);
        }),
      );
    }
    const high = /p99|0[.]99/.test(promql);
    return Promise.resolve(
      ifServed(
        (version) => (high ? 62 : 12) + (version === canary ? 4 : 0) + noise() * (high ? 4 : 0.6),
      ),
    );
  }

  /** The bad canary makes its alert fire for a while, and once more at the end. */
  #alerts({ from, to, stepMs }: Range): readonly Series[] {
    if (this.#story === "good" || this.#cluster !== CLUSTERS[1]) return [];
    const points: [number, number][] = [];
    for (let time = from; time <= to; time += stepMs) {
      const [begin, end] = ALERT_STRETCH;
      if ((time >= begin && time < end) || time > to - 20 * SECOND) points.push([time, 1]);
    }
    const labels = {
      alertname: "CanaryErrorRate",
      destination_service_namespace: "user",
      destination_service_name: "user-service",
      destination_version: SERVICE.canary,
    };
    return [{ labels, points }];
  }
}

/** The report of a rollout, collected as the command collects it. */
export async function reportOf(
  story: Story,
  more: Partial<Parameters<typeof collectReport>[0]> = {},
): Promise<ReportData> {
  return collectReport(
    {
      stack: "prod",
      release: RELEASE,
      clusters: CLUSTERS,
      services: [SERVICE],
      metrics: new Map(CLUSTERS.map((name) => [name, new SimulatedPrometheus(name, story)])),
      events: eventsOf(story),
      ...more,
    },
    T0 + 40 * MINUTE,
  );
}
