import { shown } from "../gates/verdict.ts";
import type { Chart, ChartLine } from "./chart.ts";
import { timeOfDay } from "./format.ts";
import type { Measurement, ReportData, ReportSeries } from "./report-data.ts";

/** An event that is marked in charts, or several that are too close to be told apart. */
export interface Mark {
  readonly at: number;
  readonly label: string;
}

/** Part of the width below which two marks are one. */
const CLOSE = 0.05;
/** Least part of the width that a band's label needs. */
const LABELLED = 0.06;
/** An axis of errors ends there, in percent, unless there were more. */
const ERRORS_TOP = 5;

/** The marks of all events, by their numbers in the list of events. */
export function marksOf({ events, from, to }: Pick<ReportData, "events" | "from" | "to">): Mark[] {
  const marks: { at: number; first: number; last: number }[] = [];
  events.forEach(({ time }, i) => {
    const at = Date.parse(time);
    const before = marks.at(-1);
    if (before && at - before.at < CLOSE * (to - from)) before.last = i + 1;
    else marks.push({ at, first: i + 1, last: i + 1 });
  });
  return marks.map(({ at, first, last }) => ({
    at,
    label: first === last ? String(first) : `${first}–${last}`,
  }));
}

/** The charts of one service in one cluster: share, errors, latency. */
export function chartsOf(data: ReportData, measurement: Measurement): readonly Chart[] {
  const { cluster, service: key, share, weight, errors, p50, p99 } = measurement;
  const service = data.services.find(({ name }) => name === key);
  if (!service) throw new Error(`the report has no service ${key}`);
  const index = `${data.clusters.indexOf(cluster)}-${data.services.indexOf(service)}`;
  const { from, to, stepMs } = data;
  const bands = data.phases.map((phase) => {
    const band = { from: phase.from, to: phase.to ?? to };
    const wide = band.to - band.from > LABELLED * (to - from);
    return { ...band, label: wide ? `${phase.weight} %` : "" };
  });
  const common = { from, to, stepMs, bands, marks: marksOf(data) };
  const lines = (
    all: readonly ReportSeries[],
    style: ChartLine["style"],
    name: (version: string) => string,
    scale = 1,
  ): ChartLine[] =>
    all.map(({ version, points }) => ({
      name: name(version),
      role: version === service.canary ? "canary" : "stable",
      style,
      points: points.map(([time, value]) => [time, value * scale]),
    }));
  const versioned = (version: string) =>
    `${version} (${version === service.canary ? "canary" : "stable"})`;
  const weights = lines(weight, "step", (version) => `weight of ${version}`, 100);
  const shares = [
    ...weights.map((line) => ({ ...line, legend: "weights" })),
    ...lines(share, "main", versioned, 100),
  ];
  const failed = lines(errors, "main", versioned, 100);
  const latencies = [
    ...lines(p50, "minor", (version) => `${version} median`),
    ...lines(p99, "main", (version) => `${version} p99`),
  ];
  const chart = (id: string, title: string, unit: Chart["unit"], top: number, of: ChartLine[]) => ({
    ...common,
    id: `${id}-${index}`,
    title: `${title} of ${key} in ${cluster}`,
    description: description(of, unit, data),
    unit,
    top,
    lines: of,
  });
  return [
    chart("share", "Traffic share", "%", 100, shares),
    chart("errors", "Error rate", "%", ERRORS_TOP, failed),
    chart("latency", "Latency", "ms", 0, latencies),
  ];
}

/** A line's values at the times of the chart's table. */
export function valueAt({ style, points }: ChartLine, time: number): number | undefined {
  return style === "step"
    ? points.findLast(([at]) => at <= time)?.[1]
    : points.find(([at]) => at === time)?.[1];
}

/** The times at which any line of a chart has a value. */
export function timesOf({ lines }: Chart): readonly number[] {
  const measured = lines.filter(({ style }) => style !== "step");
  const of = measured.length > 0 ? measured : lines;
  return [...new Set(of.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (one, other) => one - other,
  );
}

/** A number with its unit. */
export function inUnit(value: number, unit: Chart["unit"]): string {
  return `${unit === "%" ? shown(value) : Math.round(value)} ${unit}`;
}

function description(
  lines: readonly ChartLine[],
  unit: Chart["unit"],
  { from, to }: ReportData,
): string {
  const parts = lines.map(({ name, points }) => {
    const values = points.map(([, value]) => value);
    const last = values.at(-1);
    if (last === undefined) return `${name}: no data.`;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${name}: from ${inUnit(low, unit)} to ${inUnit(high, unit)}, at last ${inUnit(last, unit)}.`;
  });
  return [`${timeOfDay(from)} to ${timeOfDay(to)} UTC.`, ...parts].join(" ");
}
