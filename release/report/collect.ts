import { explain } from "../../fleet/explain.ts";
import type { Range, Series } from "../../fleet/prometheus.ts";
import type { TimedEvent } from "../rollout-event.ts";
import { firedAlerts } from "./alerts.ts";
import { matchers, recorded, spelledOut } from "./queries.ts";
import type { Measurement, ReportData, ReportPhase, ReportSeries } from "./report-data.ts";
import { lastRun } from "./run.ts";
import { fleetSkew } from "./skew.ts";

/** Where a cluster's metrics are read over time. */
export interface RangeMetrics {
  queryRange(promql: string, range: Range): Promise<readonly Series[]>;
}

/** What a report is about. */
export interface ReportSubject {
  readonly stack: string;
  /** The canaries with their images, as configured. */
  readonly release: string;
  readonly clusters: readonly string[];
  readonly services: ReportData["services"];
  /** Each cluster's Prometheus, where there is one. */
  readonly metrics: ReadonlyMap<string, RangeMetrics>;
  readonly events: readonly TimedEvent[];
}

/** Points of a chart, and readings of a weight, at most. */
const CHART_POINTS = 120;
const WEIGHT_READINGS = 3_000;
/** No Prometheus reads its targets much more often than that, in milliseconds. */
const LEAST_STEP_MS = 1_000;
/** What is shown before the start and after the end, as a part of the whole; and if nothing is remembered. */
const MARGIN = 0.05;
const LEAST_MARGIN_MS = 60_000;
const WITHOUT_EVENTS_MS = 3_600_000;
/** Shortest window over which requests are counted where the rules are missing, in seconds. */
const LEAST_WINDOW_S = 60;

/** Collects what a report shows. A Prometheus that does not answer is part of it, not an error. */
export async function collectReport(subject: ReportSubject, now: number): Promise<ReportData> {
  const { stack, clusters, services, metrics } = subject;
  const run = lastRun(subject.events);
  const { from, to } = stretch(run.events, run.end !== undefined, now);
  const charts = { from, to, stepMs: step(to - from, CHART_POINTS) };
  const weights = { from, to, stepMs: step(to - from, WEIGHT_READINGS) };
  const measurements = await Promise.all(
    clusters.flatMap((cluster) =>
      services.map((service) =>
        measure(cluster, service, metrics.get(cluster), { charts, weights }, run.phases),
      ),
    ),
  );
  const alerts = await Promise.allSettled(
    clusters.map(async (cluster) => {
      const of = metrics.get(cluster);
      if (!of) throw new Error(NO_PROMETHEUS);
      return firedAlerts(cluster, of, weights);
    }),
  );
  return {
    stack,
    release: run.release ?? subject.release,
    made: now,
    from,
    to,
    stepMs: charts.stepMs,
    weightStepMs: weights.stepMs,
    clusters: [...clusters],
    services: [...services],
    phases: run.phases,
    events: run.events,
    verdicts: run.verdicts,
    skew: fleetSkew(
      run.phases,
      measurements,
      new Map(services.map(({ name, canary }) => [name, canary])),
      run.events,
    ),
    measurements,
    alerts: alerts.flatMap((found) => (found.status === "fulfilled" ? found.value : [])),
    // Why is told with the measurements.
    alertsUnknown: clusters.filter((_, i) => alerts[i]?.status === "rejected"),
    ...(run.end && { end: run.end }),
  };
}

function stretch(events: readonly TimedEvent[], ended: boolean, now: number) {
  const [first] = events;
  const last = events.at(-1);
  if (!first || !last) return { from: now - WITHOUT_EVENTS_MS, to: now };
  const begin = Date.parse(first.time);
  const end = ended ? Date.parse(last.time) : now;
  const margin = Math.max(LEAST_MARGIN_MS, (end - begin) * MARGIN);
  return { from: begin - margin, to: Math.min(now, end + margin) };
}

/** Whole seconds, so that points of time are the same in every cluster. */
function step(ms: number, points: number): number {
  return Math.max(LEAST_STEP_MS, Math.ceil(ms / points / 1000) * 1000);
}

async function measure(
  cluster: string,
  service: ReportData["services"][number],
  metrics: RangeMetrics | undefined,
  { charts, weights }: { readonly charts: Range; readonly weights: Range },
  phases: readonly ReportPhase[],
): Promise<Measurement> {
  const of = matchers(cluster, service.name);
  const versions = [service.canary, service.stable];
  const window = `${Math.max(LEAST_WINDOW_S, Math.ceil((2 * charts.stepMs) / 1000))}s`;
  const follows = service.role === "follower";
  const byEvents = {
    weight: weightsOf(phases, service),
    weightFrom: follows ? ("mark" as const) : ("events" as const),
  };
  const nothing = { share: [], errors: [], p50: [], p99: [] };
  if (!metrics) {
    return { cluster, service: service.name, silent: NO_PROMETHEUS, ...nothing, ...byEvents };
  }
  const read = async (record: string) => {
    const found = await metrics.queryRange(recorded(record, of), charts);
    return seriesOf(
      found.length > 0 ? found : await metrics.queryRange(spelledOut(record, of, window), charts),
      versions,
    );
  };
  try {
    const [share, errors, p50, p99, weight] = await Promise.all([
      read("istio_canary:share:ratio"),
      read("istio_canary:errors:ratio"),
      read("istio_canary:latency_milliseconds:p50"),
      read("istio_canary:latency_milliseconds:p99"),
      // Not what is recorded of it, which comes later by the rule's interval.
      metrics.queryRange(spelledOut("istio_canary:weight:ratio", of, window), weights),
    ]);
    const configured = seriesOf(weight, versions).map(({ version, points }) => ({
      version,
      points: changes(points),
    }));
    return {
      cluster,
      service: service.name,
      ...{ share, errors, p50, p99 },
      ...(configured.length > 0 && !follows
        ? { weight: configured, weightFrom: "api-server" as const }
        : byEvents),
    };
  } catch (error) {
    return { cluster, service: service.name, silent: explain(error), ...nothing, ...byEvents };
  }
}

const NO_PROMETHEUS = "there is no Prometheus: set monitoring.mode, or clusters[].prometheus";

/** The series of the versions, the canary's first, without what is no number. */
function seriesOf(found: readonly Series[], versions: readonly string[]): ReportSeries[] {
  return versions.flatMap((version) => {
    const points = found
      .filter(({ labels }) => labels["destination_version"] === version)
      .flatMap((each) => each.points)
      .filter(([, value]) => Number.isFinite(value))
      .map(([time, value]): [number, number] => [time, value]);
    return points.length > 0 ? [{ version, points }] : [];
  });
}

/** The points at which a value has changed, and the last one. */
function changes(points: ReportSeries["points"]): ReportSeries["points"] {
  return points.filter(([, value], i) => value !== points[i - 1]?.[1] || i === points.length - 1);
}

/** The configured shares as the events tell them, the same in every cluster. */
function weightsOf(
  phases: readonly ReportPhase[],
  { stable, canary }: ReportData["services"][number],
): ReportSeries[] {
  if (phases.length === 0) return [];
  const shares = (of: (weight: number) => number) =>
    phases.map(({ weight, from }): [number, number] => [from, of(weight) / 100]);
  return [
    { version: canary, points: shares((weight) => weight) },
    { version: stable, points: shares((weight) => 100 - weight) },
  ];
}
