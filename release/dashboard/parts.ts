import type { Element, ElementContent } from "hast";
import { toHtml } from "hast-util-to-html";
import { h } from "hastscript";
import { chainRows, lanes, type Lane } from "../../lib/chain-view.ts";
import { eventText } from "../events.ts";
import { figures, gateWords, type GateVerdict } from "../gates/verdict.ts";
import { outcome, table } from "../report/elements.ts";
import { timeOfDay } from "../report/format.ts";
import { chartsSection } from "../report/sections.ts";
import type { ReportData } from "../report/report-data.ts";
import type { ClusterStatus } from "../status/cluster-status.ts";
import { failingIn, headline } from "../status/headline.ts";
import type { ReleasedService, ReleaseLook } from "../status/look.ts";
import { guardLines, nextLine, watchLine } from "../status/status-text.ts";
import { bar, interval } from "./pictures.ts";

/** Parts of the page that follow the clusters, in their order, with their headings. */
export const PARTS = {
  state: "State",
  fleet: "Clusters",
  gates: "Gates",
  chain: "Chain",
  charts: "Over time",
  events: "Events",
} as const;

/** HTML of the parts that have been made anew. */
export type Parts = Readonly<Partial<Record<keyof typeof PARTS, string>>>;

/** What `lookParts` makes. */
export const LOOK_PARTS = ["state", "fleet", "gates", "chain", "events"] as const;
/** What `chartParts` makes. */
export const CHART_PARTS = ["charts"] as const;

/** Events that are shown, the newest first. */
const EVENTS = 50;

/** The same content, in which a number and its percent sign stay on one line. */
function unbroken<T extends ElementContent>(node: T): T {
  if (node.type === "text")
    return { ...node, value: node.value.replaceAll(/(?<=\d) %/g, "\u00A0%") };
  return node.type === "element" ? { ...node, children: node.children.map(unbroken) } : node;
}

const html = (...content: readonly (ElementContent | undefined)[]) =>
  toHtml({
    type: "root",
    children: content.filter((each) => each !== undefined).map(unbroken),
  });

/** A line in which commands are set as such, and stay whole. */
function withCommands(line: string): ElementContent[] {
  return line
    .split(/(npm run release -- [^;,]+)/)
    .map((part, i) => (i % 2 === 1 ? h("code", part) : { type: "text", value: part }));
}

function stateHtml(look: ReleaseLook): string {
  const { kind, title, says, attention } = headline(look);
  const { status } = look;
  const sign = { good: "done", bad: "fail", open: "open" }[kind];
  return html(
    h("p", { className: ["title", kind] }, [outcome(sign, title)]),
    h("p", says),
    ...[...watchLine(status), ...nextLine(status)].map((line) => h("p", withCommands(line))),
    attention.length === 0
      ? h("p", { className: ["quiet"] }, "Nothing needs your attention.")
      : h("div", { className: ["note"] }, [
          h("p", "Needs attention:"),
          h(
            "ul",
            attention.map((line) => h("li", line)),
          ),
        ]),
    ...guardLines(status).map((line) => h("p", { className: ["quiet"] }, line)),
  );
}

const percent = (value: number) => `${Number(value.toFixed(1))} %`;

/** A share as a bar with its number; a dash where nobody knows. */
function share(value: number | undefined, kind: string, more = ""): readonly ElementContent[] {
  if (value === undefined) return [{ type: "text", value: more === "" ? "–" : more }];
  return [bar(value, kind), h("span", `${percent(value)}${more === "" ? "" : ` ${more}`}`)];
}

function envoysCell({ envoys, serving }: ClusterStatus, weight: number | undefined) {
  if (envoys === 0 || weight === undefined) return share(undefined, "served");
  const told = `in ${serving} of ${envoys} Envoys`;
  return share((weight * serving) / envoys, serving === envoys ? "served" : "partly", told).map(
    (each, i) => (i === 1 ? h("span", `${percent(weight)} ${told}`) : each),
  );
}

function clusterCell(of: ClusterStatus): readonly ElementContent[] {
  const { cluster, quarantined, away, drained, unreachable } = of;
  const remark = quarantined
    ? "in quarantine"
    : away === true
      ? drained === true
        ? "away, drained"
        : "away"
      : unreachable === undefined
        ? ""
        : "cannot be read";
  return [
    { type: "text", value: cluster },
    ...(remark === "" ? [] : [h("span", { className: ["flag"] }, remark)]),
  ];
}

function healthCell(
  { cluster, alerts, silent, drift, unreachable, away }: ClusterStatus,
  { verdicts }: ReleaseLook["status"],
): ElementContent {
  const failing = failingIn(verdicts).filter((each) => each.cluster === cluster);
  const bad = [
    ...failing.map(({ gate }) => `gate ${gateWords(gate)} fails`),
    ...(alerts ?? []).map((alert) => `alert ${alert}`),
    ...(drift.length === 0 ? [] : ["differs from the configuration"]),
    ...(silent === undefined ? [] : ["Prometheus is silent"]),
  ];
  if (unreachable !== undefined || away === true) return outcome("hold", "not known");
  return bad.length === 0 ? outcome("pass", "healthy") : outcome("fail", bad.join(", "));
}

const errorsText = (errors: number | undefined) => (errors === undefined ? "–" : percent(errors));

/** One service in all clusters: what is configured, written, served and measured, side by side. */
function serviceTable({ key, stable, canary }: ReleasedService, look: ReleaseLook): Element {
  return table({
    caption: `Share of ${canary} in the requests to ${key}, beside ${stable}`,
    head: ["Cluster", "Configured", "Written", "Served", "Measured", "5xx", "Health"],
    rows: look.status.clusters.map((of) => {
      const written = of.weights[key];
      const answered = (version: string) =>
        of.versions?.find((each) => each.service === key && each.version === version);
      const measured = answered(canary)?.share;
      return [
        clusterCell(of),
        share(of.config, "configured"),
        share(written, "written"),
        envoysCell(of, written),
        share(measured, "measured", measured === undefined ? "no requests" : ""),
        [canary, stable].map((version) =>
          h("div", `${version}: ${errorsText(answered(version)?.errors)}`),
        ),
        healthCell(of, look.status),
      ];
    }),
  });
}

function fleetHtml(look: ReleaseLook): string {
  const { period } = look.status;
  return html(
    h(
      "p",
      { className: ["quiet"] },
      `Configured: in the stack's config. Written: in the cluster's VirtualService. Served: in the routes of its Envoys. Measured: answered by pods since ${timeOfDay(Date.parse(period.since))} UTC. 5xx: the answers of each version that were errors.`,
    ),
    ...look.services.map((service) => serviceTable(service, look)),
  );
}

const URGENCY: readonly GateVerdict["outcome"][] = ["fail", "hold", "pass"];
/** What fails comes first. */
const byUrgency = (one: GateVerdict, other: GateVerdict) =>
  URGENCY.indexOf(one.outcome) - URGENCY.indexOf(other.outcome);

function gatesHtml({ status: { verdicts } }: ReleaseLook): string {
  if (verdicts.length === 0) {
    return html(h("p", { className: ["quiet"] }, "No gate judges: no phase of a rollout runs."));
  }
  return html(
    h(
      "p",
      { className: ["quiet"] },
      "A bar is the range in which the true value lies, as surely as rollout.gates.risk asks for. It narrows as requests come in. The line across it is what was measured; red lines are limits, and the tinted range is what is required. A gate fails when its whole bar is outside the limits. It says hold while it has seen too few requests.",
    ),
    table({
      caption: "What the gates say of this phase",
      head: ["Cluster", "Gate", "Interval and limit", "In numbers", "Verdict"],
      rows: verdicts
        .toSorted(byUrgency)
        .map(({ cluster, service, gate, judgement, outcome: name, text, dryRun }) => {
          const numbers = judgement && figures(judgement);
          const dry = dryRun === true ? " (dry run)" : "";
          return [
            cluster,
            `${gateWords(gate)} of ${service}${dry}`,
            judgement ? interval(judgement) : "",
            numbers
              ? `${numbers.value ?? "no requests"} (${numbers.interval}) of ${judgement.samples}, ${numbers.limit}`
              : text,
            outcome(name, name),
          ];
        }),
    }),
  );
}

function laneHtml(title: string, { label, entries, followers }: Lane): Element {
  return h("div", { className: ["lane"] }, [
    h("h3", `${title}: ${label}`),
    h("ol", [
      ...entries.map((entry) => h("li", entry)),
      ...followers.map((follower) => h("li", { className: ["follower"] }, follower)),
    ]),
  ]);
}

function chainHtml({ status: { chain } }: ReleaseLook): string {
  if (!chain) return "";
  const { stable, canary } = lanes(chain.services);
  return html(
    h("div", { className: ["lanes"] }, [
      laneHtml("Requests to stable versions", stable),
      ...(canary ? [laneHtml("Requests to canaries", canary)] : []),
    ]),
    table({
      caption: `Services of the chain${chain.mark === undefined ? "" : `, marked by ${chain.mark}`}`,
      head: ["Service", "Role", "Stable", "Canary", "Clusters", "Share"],
      rows: chainRows(chain.services).map((row) => [
        row.service,
        row.role,
        row.stable,
        row.canary,
        row.clusters,
        row.share,
      ]),
    }),
  );
}

function eventsHtml({ events }: ReleaseLook): string {
  const shown = events
    .flatMap((event) => {
      const text = eventText(event);
      return text === undefined ? [] : [[event.time, text] as const];
    })
    .toReversed()
    .slice(0, EVENTS);
  if (shown.length === 0) {
    return html(h("p", { className: ["quiet"] }, "No events are remembered."));
  }
  return html(
    h(
      "ol",
      { className: ["events"] },
      shown.map(([time, text]) =>
        h("li", [
          h("time", { dateTime: time }, timeOfDay(Date.parse(time))),
          h("span", text.trim()),
        ]),
      ),
    ),
  );
}

/** The parts that follow from one look. */
export function lookParts(look: ReleaseLook): Parts {
  return {
    state: stateHtml(look),
    fleet: fleetHtml(look),
    gates: gatesHtml(look),
    chain: chainHtml(look),
    events: eventsHtml(look),
  };
}

/** What was measured over time, as in a report. */
export function chartParts(data: ReportData): Parts {
  return {
    charts: html(...data.services.map(({ name }, i) => chartsSection(data, name, `traffic-${i}`))),
  };
}
