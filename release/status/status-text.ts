import { allOf } from "../../lib/enumerate.ts";
import { textTable } from "../../lib/table.ts";
import { flagWords } from "../gates/queries.ts";
import { dateTime } from "../report/format.ts";
import { briefRelease } from "../release-settings.ts";
import { chainLines } from "./chain-text.ts";
import type { ClusterStatus } from "./cluster-status.ts";
import type { ReleaseStatus } from "./release-status.ts";
import type { CallTraffic } from "./traffic.ts";

/** Lines of a cluster's drift that are shown; all of them are in the JSON. */
const DRIFT_LINES = 5;

/** Lines of gates above which those that pass are only counted. */
const GATE_LINES = 24;

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
] as const;

/** How long ago, in the largest whole unit. */
function age(seconds: number): string {
  const [length, unit] = UNITS.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(seconds / length)} ${unit}`;
}

const percent = (value: number | undefined, digits: number) =>
  value === undefined ? "-" : `${value.toFixed(digits)} %`;
const milliseconds = (value: number | undefined) =>
  value === undefined ? "-" : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

/** The phase and since when, or how the rollout ended. */
export function rolloutLine({ progress, changed, forgotten, period }: ReleaseStatus): string {
  if (forgotten !== undefined) return `it is not known whether a rollout is running: ${forgotten}`;
  if (!progress) return "no rollout of this release has started";
  const { weight, since, failures, end, rollingBack } = progress;
  if (end && changed) {
    const when = changed.ended === undefined ? "" : ` at ${changed.ended}`;
    const now = changed.to.map((each) => `${each} %`).join(" and ");
    return `the rollout ended with ${changed.from} %${when} (${end.result}: ${end.reason}); since then the weight was changed to ${now}`;
  }
  if (end) return `rollout ${end.result}: ${end.reason}`;
  if (rollingBack !== undefined) return `rollout is being rolled back: ${rollingBack}`;
  const lasts = age((period.until - since) / 1000);
  const failed =
    failures.total === 0
      ? "no look at the gates has failed"
      : `${failures.total} ${failures.total === 1 ? "look" : "looks"} at the gates failed`;
  return `rollout at ${weight} % since ${dateTime(since)} UTC (${lasts}), ${failed}`;
}

/** Who watches a rollout that runs, or that nobody does. */
export function watchLine({ progress, watch, stack }: ReleaseStatus): string[] {
  if (!progress || progress.end) return [];
  const onward = `to continue: npm run release -- rollout --stack ${stack}`;
  if (!watch) return [`nobody watches it; ${onward}`];
  return watch.stale
    ? [`nobody has watched it for ${age(watch.seconds)}: ${watch.by} looked last; ${onward}`]
    : [`driven by release rollout of ${watch.by}, last look ${age(watch.seconds)} ago`];
}

/** What the rollout does next, if a command drives it. */
export function nextLine({ next }: ReleaseStatus): string[] {
  return next === undefined ? [] : [`next: ${next}`];
}

/** What each cluster's guard does, a line each. */
export function guardLines({ guards = [] }: ReleaseStatus): string[] {
  return guards.map(({ by, stale, seconds, startedAt, does, says }) =>
    stale
      ? `${by} has not looked for ${age(seconds)}: check its pod`
      : `${by} has watched since ${dateTime(Date.parse(startedAt))} UTC, last look ${age(seconds)} ago: ${does}, ${says}`,
  );
}

function alertsCell({ alerts, silent }: ClusterStatus): string {
  if (!alerts) return silent === undefined ? "no Prometheus" : "not known";
  return alerts.length === 0 ? "none" : alerts.join(", ");
}

function clusterRow(status: ClusterStatus): string[] {
  const { cluster, config, quarantined, unreachable, away, drained, weights, drift } = status;
  const { envoys, serving, acknowledged = 0 } = status;
  const known = unreachable === undefined && !away;
  const has = [...new Set(Object.values(weights))].map((weight) => `${weight} %`);
  return [
    cluster,
    `${config} %${quarantined ? " (quarantine)" : drained ? " (away, drained)" : away ? " (away)" : ""}`,
    allOf(has) || (known ? "nothing" : "not known"),
    known
      ? `${serving} of ${envoys} serve it${acknowledged > 0 ? `, and ${acknowledged} more have acknowledged it` : ""}`
      : "not known",
    alertsCell(status),
    known ? (drift.length === 0 ? "none" : `${drift.length}, see below`) : "not known",
  ];
}

/** What a cluster that is away keeps, as far as anybody knows. */
function awayRemark({ cluster, drained, weights, kept = {} }: ClusterStatus): string {
  const canaries = Object.entries(weights).map(([key, weight]) => `${weight} % of ${key}`);
  const others = Object.entries(kept).map(
    ([key, shares]) =>
      `${allOf(Object.entries(shares).map(([version, share]) => `${version} ${share} %`))} of ${key}`,
  );
  const keeps = [
    ...(canaries.length > 0 || others.length === 0
      ? [`its canaries keep ${allOf(canaries) || "what they had"}`]
      : []),
    ...(others.length > 0 ? [`its clients keep ${others.join("; ")}`] : []),
  ];
  return `${cluster} is away and is not asked: ${keeps.join(", and ")}, by the last complete update that knew it${drained ? "; the others are to send it nothing (drain)" : ""}`;
}

/** What is wrong with a cluster, a line each. */
export function remarks(status: ClusterStatus): string[] {
  const { cluster, away, unreachable, silent, drift } = status;
  return [
    ...(away ? [awayRemark(status)] : []),
    ...(unreachable === undefined ? [] : [`${cluster} cannot be read: ${unreachable}`]),
    ...(silent === undefined ? [] : [`Prometheus of ${cluster} does not answer: ${silent}`]),
    ...drift.slice(0, DRIFT_LINES).map((line) => `drift in ${cluster}: ${line}`),
    ...(drift.length > DRIFT_LINES
      ? [`drift in ${cluster}: ${drift.length - DRIFT_LINES} more, see --json`]
      : []),
  ];
}

/** What a cluster's clients have asked for and no pod has answered, if anything: the table cannot show it. */
function unreachedLine(cluster: string) {
  return ({ service, requests, unreached, flags }: CallTraffic): string[] =>
    unreached === 0
      ? []
      : [
          `no pod answered ${unreached} of ${requests} requests (${percent((100 * unreached) / requests, 2)}) that clients in ${cluster} sent to ${service}: ${flagWords({ flags })}`,
        ];
}

/** The requests by cluster and version, if there are any to show. */
function traffic({ clusters, period }: ReleaseStatus): string[] {
  if (clusters.every(({ versions }) => versions === undefined)) return [];
  if (period.seconds === 0)
    return [`requests are counted from ${dateTime(Date.parse(period.since))} UTC on`];
  const table = textTable([
    ...["cluster", "service", "version", "requests", "share", "5xx", "p50", "p99"],
  ]);
  for (const { cluster, versions = [] } of clusters) {
    for (const { service, version, requests, share, errors, p50, p99 } of versions) {
      table.push([
        cluster,
        service,
        version,
        requests,
        percent(share, 1),
        percent(errors, 2),
        milliseconds(p50),
        milliseconds(p99),
      ]);
    }
  }
  return [
    `answered by pods since ${dateTime(Date.parse(period.since))} UTC (${age(period.seconds)}):`,
    table.toString(),
    ...clusters.flatMap(({ cluster, calls = [] }) => calls.flatMap(unreachedLine(cluster))),
  ];
}

/** What the gates say; where there are many, those that pass are only counted. */
function gates({ verdicts }: ReleaseStatus): string[] {
  const passed = verdicts.filter(({ outcome }) => outcome === "pass");
  const shown =
    verdicts.length > GATE_LINES ? verdicts.filter(({ outcome }) => outcome !== "pass") : verdicts;
  return [
    ...shown.map(
      ({ outcome, text, dryRun }) => `${outcome}${dryRun === true ? " (dry run)" : ""} ${text}`,
    ),
    ...(shown === verdicts ? [] : [`pass ${passed.length} gates, see --json`]),
  ];
}

/** A status for people. */
export function statusText(status: ReleaseStatus): string {
  const table = textTable(["cluster", "config", "API server", "Envoys", "alerts", "drift"]);
  table.push(...status.clusters.map(clusterRow));
  return [
    briefRelease(status.release),
    rolloutLine(status),
    ...watchLine(status),
    ...nextLine(status),
    ...guardLines(status),
    ...(status.paused === undefined ? [] : [status.paused]),
    table.toString(),
    ...(status.ahead === undefined ? [] : [status.ahead]),
    ...status.clusters.flatMap(remarks),
    ...(status.chain ? chainLines(status.chain) : []),
    ...traffic(status),
    ...gates(status),
  ].join("\n");
}
