import type { Element } from "hast";
import { h } from "hastscript";
import { eventText } from "../events.ts";
import { figures, gateWords } from "../gates/verdict.ts";
import type { EventVerdict } from "../rollout-event.ts";
import { chartSvg, type Chart } from "./chart.ts";
import { chartsOf, inUnit, timesOf, valueAt } from "./charts.ts";
import { outcome, section, table } from "./elements.ts";
import { dateTime, duration, timeOfDay } from "./format.ts";
import type { Measurement, ReportData, Skew } from "./report-data.ts";

/** What is to be known first. */
export function resultSection({ end, phases, measurements, from, to, made }: ReportData): Element {
  const now = phases.at(-1);
  const silent = measurements.filter((each) => each.silent !== undefined);
  const state = end
    ? [outcome(end.result, RESULTS[end.result] ?? end.result), `: ${end.reason}`]
    : [
        now
          ? outcome("open", `in the phase of ${now.weight} % since ${dateTime(now.from)} UTC`)
          : "no rollout of it is recorded; the charts show the last hour",
      ];
  return section("result", "Result", [
    h("p", { className: "lead" }, state),
    h(
      "p",
      `From ${dateTime(from)} to ${dateTime(to)}, written ${dateTime(made)}. All times are UTC.`,
    ),
    silent.length > 0
      ? h("div", { className: "note" }, [
          h("p", "Metrics are missing:"),
          h(
            "ul",
            silent.map(({ cluster, service, silent: why = "" }) =>
              h("li", `${service} in ${cluster}: ${why}`),
            ),
          ),
        ])
      : undefined,
  ]);
}

const RESULTS: Readonly<Record<string, string>> = {
  done: "Done",
  "rolled-back": "Rolled back in every cluster",
  "rollback-incomplete": "Rolled back, but not in every cluster",
  stopped: "Stopped",
  interrupted: "Interrupted",
};

/** Phases and events. */
export function timelineSection({ phases, events, to, end }: ReportData): Element {
  return section("timeline", "Phases and events", [
    table({
      caption: "Phases",
      head: ["Weight", "In force from", "to", "for"],
      rows: phases.map((phase) => [
        `${phase.weight} %`,
        time(phase.from),
        phase.to === undefined ? "still in force" : time(phase.to),
        phase.to === undefined && end ? "" : duration((phase.to ?? to) - phase.from),
      ]),
    }),
    table({
      caption: "Events, with their numbers in the charts",
      head: ["Number", "Time", "Event"],
      rows: events.map((event, i) => [
        String(i + 1),
        time(Date.parse(event.time)),
        eventText(event) ?? event.event,
      ]),
    }),
  ]);
}

/** Which alerts have fired, where and when. */
export function alertsSection({ alerts, alertsUnknown }: ReportData): Element {
  return section("alerts", "Alerts", [
    alertsUnknown.length > 0
      ? h("p", `It is not known which alerts have fired in ${alertsUnknown.join(", ")}.`)
      : undefined,
    alerts.length === 0
      ? h("p", "No alerts are known to have fired.")
      : table({
          caption: "Alerts that have fired",
          head: ["Alert", "Cluster", "About", "From", "to"],
          rows: alerts.map(({ alert, cluster, service, version, from, to }) => [
            alert,
            cluster,
            [version, service].filter((each) => each !== undefined).join(" of "),
            time(from),
            to === undefined ? "still firing" : time(to),
          ]),
        }),
  ]);
}

/** What each gate has said in each cluster at the end of each phase. */
export function gatesSection({ verdicts }: ReportData): Element {
  return section("gates", "Gates", [
    h(
      "p",
      "What each gate has said last in each phase. The interval holds the true value with the certainty that rollout.gates.risk sets; a gate fails only when the whole interval is beyond the limit.",
    ),
    ...(verdicts.length === 0
      ? [h("p", "No verdicts are recorded.")]
      : verdicts.map(({ weight, time: at, verdicts: all }) =>
          table({
            caption: `Gates at ${weight} %, ${dateTime(at)} UTC`,
            head: [
              "Cluster",
              "Service",
              "Gate",
              "Verdict",
              "Value",
              "Interval",
              "Limit",
              "Requests",
            ],
            rows: all.map(verdictCells),
          }),
        )),
  ]);
}

function verdictCells(verdict: EventVerdict): (string | Element)[] {
  const { cluster, service, gate, judgement } = verdict;
  if (cluster === undefined || service === undefined || gate === undefined) {
    return ["all", "", "webhook", outcome(verdict.outcome, verdict.text), "", "", "", ""];
  }
  const named = [cluster, service, gateWords(gate)];
  if (!judgement) return [...named, outcome(verdict.outcome, verdict.text), "", "", "", ""];
  const { value, interval, limit } = figures(judgement);
  const missing = judgement.missing === undefined ? "" : `: too few, ${judgement.missing}`;
  return [
    ...named,
    outcome(verdict.outcome, `${verdict.outcome}${missing}`),
    value ?? "no requests",
    value === undefined ? "" : interval,
    limit,
    String(judgement.samples),
  ];
}

/** How far apart the clusters were when a weight changed. */
export function skewSection({ skew, weightStepMs }: ReportData): Element {
  return section("skew", "Fleet skew", [
    h(
      "p",
      `The time between the first and the last cluster whose API server had a weight, by the first reading of it in each cluster's Prometheus. ` +
        `It is read here every ${duration(weightStepMs)}, and by Prometheus at its own interval: the skew is known no better than both together. Each Prometheus has its own clock. ` +
        `The update's time runs from the request for the weight to its end; where a weight rises, it includes the confirmation by every Envoy in every cluster.`,
    ),
    skew.length === 0
      ? h("p", "No change of a weight is recorded.")
      : table({
          caption: "When the clusters came to a weight",
          head: ["Weight", "First cluster", "Last cluster", "Skew", "Update"],
          rows: skew.map(skewCells),
        }),
  ]);
}

function skewCells({ weight, seen, unseen, updateMs }: Skew): string[] {
  const [first] = seen;
  const last = seen.at(-1);
  const arrived = (of: typeof first) =>
    of ? `${of.cluster} at ${timeOfDay(of.time)}` : "not known";
  return [
    `${weight} %`,
    arrived(first),
    arrived(last),
    first && last && unseen.length === 0
      ? duration(last.time - first.time)
      : `not known: not seen in ${unseen.join(", ")}`,
    updateMs === undefined ? "not known" : duration(updateMs),
  ];
}

/** The charts of one service, each cluster's beside the other's. */
export function chartsSection(data: ReportData, service: string, id: string): Element {
  const measurements = data.measurements.filter((each) => each.service === service);
  const of = measurements.map((measurement) => chartsOf(data, measurement));
  const byEvents = measurements.filter(({ weightFrom }) => weightFrom === "events");
  return section(id, `Traffic of ${service}`, [
    h(
      "p",
      "Bands are phases; vertical lines are events, by the numbers that the list of events gives them. Shares are those of the requests that a cluster's own clients have made; errors (5xx) and latency are those of the requests that its pods have answered.",
    ),
    byEvents.length > 0
      ? h(
          "p",
          `The weights of ${byEvents.map(({ cluster }) => cluster).join(", ")} are those of the events, since its Prometheus has none.`,
        )
      : undefined,
    measurements.some(({ weightFrom }) => weightFrom === "mark")
      ? h(
          "p",
          "It follows the mark of the chain: its weights are those of the entries. Clients outside of the chain get the stable version.",
        )
      : undefined,
    ...[0, 1, 2].flatMap((kind) => [
      h("h3", HEADINGS[kind]),
      h(
        "div",
        { className: "charts" },
        of.flatMap((charts, i) => {
          const [chart, measurement] = [charts[kind], measurements[i]];
          return chart && measurement ? [figure(chart, measurement)] : [];
        }),
      ),
    ]),
  ]);
}

const HEADINGS = ["Traffic share", "Error rate", "Latency"];

function figure(chart: Chart, { cluster, silent }: Measurement): Element {
  const caption = h("figcaption", cluster);
  if (silent !== undefined) return h("figure", [caption, h("p", `No data: ${silent}`)]);
  const times = timesOf(chart);
  if (times.length === 0) {
    return h("figure", [caption, h("p", "No requests were counted in this time.")]);
  }
  return h("figure", [
    caption,
    chartSvg(chart),
    h("details", [
      h("summary", ["Data", h("span", { className: "unseen" }, ` of: ${chart.title}`)]),
      table({
        caption: chart.title,
        head: ["Time", ...chart.lines.map(({ name }) => name)],
        rows: times.map((at) => [
          time(at),
          ...chart.lines.map((line) => {
            const value = valueAt(line, at);
            return value === undefined ? "–" : inUnit(value, chart.unit);
          }),
        ]),
      }),
    ]),
  ]);
}

function time(ms: number): Element {
  return h("time", { dateTime: new Date(ms).toISOString() }, timeOfDay(ms));
}
