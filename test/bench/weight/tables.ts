import { textTable } from "../../../lib/table.ts";
import type { Figure, MarkRow } from "./figures.ts";

const seconds = (value: number) => `${value.toFixed(2)} s`;
const milliseconds = (value: number) => `${(1000 * value).toFixed(0)} ms`;
const signed = (value: number) => `${value < 0 ? "−" : "+"}${seconds(Math.abs(value))}`;

/** The figures of all commands, a line each. */
export function figuresTable(figures: readonly Figure[]): string {
  const table = textTable([
    "command",
    "",
    "min",
    "median",
    "max",
    "to the empty program",
    "times the floor",
  ]);
  for (const { command, what, min, median, max, overEmpty, timesFloor } of figures) {
    const text = what === "skew" ? milliseconds : seconds;
    table.push([
      command,
      what,
      ...[min, median, max].map(text),
      overEmpty === undefined ? "" : signed(overEmpty),
      timesFloor === undefined ? "" : `${timesFloor.toFixed(1)} ×`,
    ]);
  }
  return table.toString();
}

/** Where the time of each command goes: medians in seconds since its start. */
export function marksTable(rows: readonly MarkRow[]): string {
  const commands = [...new Set(rows.flatMap((row) => Object.keys(row.seconds)))];
  const table = textTable(["seconds until", ...commands.map((name) => name.replace(", ", "\n"))]);
  for (const row of rows) {
    table.push([row.mark, ...commands.map((name) => row.seconds[name]?.toFixed(2) ?? "")]);
  }
  return table.toString();
}
