import { chainRows, lanes, type Lane } from "../../lib/chain-view.ts";
import { textTable } from "../../lib/table.ts";
import type { ChainStatus } from "./chain-status.ts";

/** A chain as a table, and its two ways beside each other. */
export function chainLines({ services, mark }: ChainStatus): readonly string[] {
  const table = textTable(["service", "role", "stable", "canary", "clusters", "share"]);
  for (const { service, role, stable, canary, clusters, share } of chainRows(services)) {
    table.push([service, role, stable, canary, clusters, share]);
  }
  return [
    `chain${mark === undefined ? "" : `, marked by ${mark}`}:`,
    table.toString(),
    ...diagram(lanes(services)),
  ];
}

function diagram({ stable, canary }: ReturnType<typeof lanes>): readonly string[] {
  const column = ({ label, entries, followers }: Lane, height: number) => [
    label,
    "│",
    ...entries,
    ...Array.from({ length: height - entries.length }, () => ""),
    ...(followers.length > 0 ? ["▼", ...followers] : []),
  ];
  const height = Math.max(stable.entries.length, canary?.entries.length ?? 0);
  const titles = [
    "requests",
    "",
    ...titled("entries", height),
    ...(stable.followers.length > 0 ? ["", ...titled("followers", stable.followers.length)] : []),
  ];
  const columns = [titles, column(stable, height), ...(canary ? [column(canary, height)] : [])];
  const widths = columns.map((lines) => Math.max(...lines.map(({ length }) => length)));
  return titles.map((_, i) =>
    columns
      .map((lines, at) => (lines[i] ?? "").padEnd(widths[at] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

/** A title beside the first of some lines. */
function titled(title: string, lines: number): readonly string[] {
  return [title, ...Array.from({ length: Math.max(0, lines - 1) }, () => "")];
}
