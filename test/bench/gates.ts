import Table from "cli-table3";
import { simulateMany, unevenMesh, type Ending, type Scenario } from "./simulation.ts";

/** Rollouts for each row of the table. */
const RUNS = Number(process.argv[2] ?? 2000);

const rows: readonly (readonly [string, Scenario])[] = [
  ["good: 0.1 %, as stable", unevenMesh(1000, 0.001, 0.001)],
  ["good: 0.1 %, as stable", unevenMesh(200, 0.001, 0.001)],
  ["just allowed: 1 %, stable 0.1 %", unevenMesh(1000, 0.001, 0.01)],
  ["as bad as stable: 5 %", unevenMesh(1000, 0.05, 0.05)],
  ["bad in cluster-b only: 5 %", unevenMesh(5000, 0.001, 0.001, 0.05)],
  ["bad in cluster-b only: 5 %", unevenMesh(1000, 0.001, 0.001, 0.05)],
  ["bad in cluster-b only: 5 %", unevenMesh(200, 0.001, 0.001, 0.05)],
  ["bad in cluster-b only: 20 %", unevenMesh(200, 0.001, 0.001, 0.2)],
  ["good: 0.1 %, hardly any traffic", unevenMesh(10, 0.001, 0.001)],
];

const percent = (endings: readonly Ending[], which: (ending: Ending) => boolean) =>
  `${((100 * endings.filter(which).length) / endings.length).toFixed(1)} %`;

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return middle === undefined ? "" : `${middle.toFixed(1)} min`;
}

const table = new Table({
  head: [
    "canary's failures",
    "requests/s",
    "passes",
    "stopped",
    "at 10",
    "30",
    "100",
    "stopped after",
    "held to the limit",
  ],
  style: { head: [], border: [] },
  chars: { mid: "", "mid-mid": "", "left-mid": "", "right-mid": "" },
});
for (const [name, scenario] of rows) {
  const endings = simulateMany(scenario, RUNS);
  const stopped = endings.filter(({ failed }) => failed);
  table.push([
    name,
    scenario.requestsPerSecond,
    percent(endings, ({ result }) => result === "done"),
    percent(endings, ({ failed }) => failed),
    ...[10, 30, 100].map((at) => percent(endings, ({ failed, weight }) => failed && weight === at)),
    median(stopped.map(({ minutes }) => minutes)),
    percent(endings, ({ failed, result }) => !failed && result === "rolled-back"),
  ]);
}
console.log(`${RUNS} rollouts for each row\n${table.toString()}`);
