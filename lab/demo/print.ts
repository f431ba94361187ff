import { textTable } from "../../lib/table.ts";
import type { Check } from "./checks.ts";
import type { ClusterWeights, Share } from "./measure.ts";
import type { InForce, PhaseReport } from "./phase.ts";

/** Prints a line that begins a part of the demo. */
export function heading(text: string): void {
  console.log(`\n── ${text}`);
}

function mark(ok: boolean): string {
  return ok ? "ok" : "WRONG";
}

function weightsTable(clusters: readonly ClusterWeights[]): string {
  const table = textTable(["cluster", "API server", "Envoys"]);
  for (const { cluster, weight, apiServer, serving, envoys } of clusters) {
    table.push([cluster, `${apiServer} %`, `${weight} % in ${serving} of ${envoys}`]);
  }
  return table.toString();
}

/** The canary's share of each client's answers, and whether it fits the weight. */
export function sharesTable(shares: readonly Share[], weight: number): string {
  const table = textTable([
    "client",
    "canary",
    "99 % interval",
    "answers",
    "answered by",
    `fits ${weight} %`,
  ]);
  for (const { client, canary, interval, answers, from, ok } of shares) {
    const clusters = Object.entries(from)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([cluster, count]) => `${cluster} ${Math.round((100 * count) / answers)} %`);
    table.push([
      client,
      `${canary.toFixed(1)} %`,
      `${interval.low.toFixed(1)} … ${interval.high.toFixed(1)} %`,
      answers,
      clusters.join(", "),
      mark(ok),
    ]);
  }
  return table.toString();
}

/** Prints where a weight is in force. */
export function printInForce({ clusters, spreadMilliseconds }: InForce): void {
  console.log(`the last cluster's Envoys switched ${spreadMilliseconds} ms after the first's`);
  console.log(weightsTable(clusters));
}

/** Prints what one weight led to. */
export function printPhase(report: PhaseReport): void {
  console.log(sharesTable(report.shares, report.weight));
  console.log(`failed requests: ${report.failures.length}`);
  printProblems(report.problems);
}

/** Prints single calls and their answers. */
export function printChecks(checks: readonly Check[]): void {
  const table = textTable(["call", "expected", "seen", ""]);
  for (const { what, expected, seen, ok } of checks) table.push([what, expected, seen, mark(ok)]);
  console.log(table.toString());
}

/** Prints what is wrong, the first few of many. */
export function printProblems(problems: readonly string[]): void {
  const shown = 10;
  for (const problem of problems.slice(0, shown)) console.log(`PROBLEM: ${problem}`);
  if (problems.length > shown) console.log(`… and ${problems.length - shown} more`);
}
