import Table from "cli-table3";
import {
  simulateLateMany,
  simulateMany,
  unevenMesh,
  type Ending,
  type LateFault,
  type Scenario,
} from "./simulation.ts";

/** Rollouts for each row of the first table; of long phases there is a quarter. */
const RUNS = Number(process.argv[2] ?? 2000);
const LONG_RUNS = Math.ceil(RUNS / 4);
/** The gate's risk in the last table: large, so that there are errors to count. */
const RISK = 0.05;
const DAY = 24 * 60;

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
  ["pooled, good: 0.1 %", { ...unevenMesh(200, 0.001, 0.001), pool: true }],
  ["pooled, good: 0.1 %", { ...unevenMesh(50, 0.001, 0.001), pool: true }],
  ["pooled, bad in cluster-b only: 5 %", { ...unevenMesh(200, 0.001, 0.001, 0.05), pool: true }],
  ["pooled, bad in cluster-b only: 20 %", { ...unevenMesh(200, 0.001, 0.001, 0.2), pool: true }],
];

const percent = (endings: readonly Ending[], which: (ending: Ending) => boolean) =>
  `${((100 * endings.filter(which).length) / endings.length).toFixed(1)} %`;

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return middle === undefined ? "" : `${middle.toFixed(1)} min`;
}

const tableOf = (head: readonly string[]) =>
  new Table({
    head: [...head],
    style: { head: [], border: [] },
    chars: { mid: "", "mid-mid": "", "left-mid": "", "right-mid": "" },
  });

const table = tableOf([
  "canary's failures",
  "requests/s",
  "passes",
  "stopped",
  "at 10",
  "30",
  "100",
  "stopped after",
  "held to the limit",
]);
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

const well = { canary: 0.001, stable: 0.001 };
type Fault = (minutes: number) => number;
const constant: Fault = () => 0.05;
const burst: Fault = (minutes) => (minutes < 1 ? 0.3 : well.canary);
const drift: Fault = (minutes) => well.canary + minutes / 1000;
const late: readonly (readonly [string, number, number, Fault])[] = [
  ["5 % from then on", 50, 450, constant],
  ["5 % from then on", 50, 50, constant],
  ["5 % from then on", 5, 45, constant],
  ["5 % from then on", 5, 11.7, constant],
  ["5 % from then on", 5, 5, constant],
  ["5 % from then on", 1, 9, constant],
  ["30 % for one minute", 50, 450, burst],
  ["30 % for one minute", 5, 45, burst],
  ["0.1 points more each minute", 50, 450, drift],
  ["0.1 points more each minute", 5, 45, drift],
];

/** Below which so many of the values are, 0 to 1; never for those that are undefined. */
function quantile(values: readonly (number | undefined)[], share: number): string {
  const sorted = values.map((value) => value ?? Infinity).toSorted((a, b) => a - b);
  const found = sorted[Math.ceil(share * sorted.length) - 1] ?? Infinity;
  return found === Infinity ? "never" : `${found.toFixed(1)} min`;
}

const lateTable = tableOf([
  "after 24 good hours",
  "canary/s",
  "stable/s",
  "stopped",
  "median",
  "95 %",
]);
for (const [name, canary, stable, fault] of late) {
  const scenario: LateFault = {
    perSecond: { canary, stable },
    well,
    fault,
    goodMinutes: DAY,
    watchedMinutes: 120,
  };
  const found = simulateLateMany(scenario, LONG_RUNS);
  const stopped = found.filter((minutes) => minutes !== undefined).length;
  lateTable.push([
    name,
    canary,
    stable,
    `${((100 * stopped) / found.length).toFixed(1)} %`,
    quantile(found, 0.5),
    quantile(found, 0.95),
  ]);
}
console.log(`${LONG_RUNS} phases for each row\n${lateTable.toString()}`);

const alarms = tableOf(["canary", "stable", "canary/s", "stable/s", "false alarms in 24 h"]);
for (const [ofCanary, ofStable, canary, stable] of [
  [0.001, 0.001, 50, 450],
  [0.011, 0.001, 50, 450],
  [0.011, 0.001, 5, 45],
  [0.06, 0.05, 5, 5],
] as const) {
  const scenario: LateFault = {
    perSecond: { canary, stable },
    well: { canary: ofCanary, stable: ofStable },
    goodMinutes: DAY,
    watchedMinutes: 0,
    judgedWhileGood: true,
  };
  const found = simulateLateMany(scenario, LONG_RUNS, RISK);
  const wrong = found.filter((minutes) => minutes !== undefined).length;
  alarms.push([
    `${(100 * ofCanary).toFixed(1)} %`,
    `${(100 * ofStable).toFixed(1)} %`,
    canary,
    stable,
    `${wrong} of ${found.length}, with a risk of ${100 * RISK} %`,
  ]);
}
console.log(alarms.toString());
