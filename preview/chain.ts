import { oneOf } from "../lib/enumerate.ts";
import { chainRows, lanes, type ChainPart, type ChainRow, type Lane } from "../lib/chain-view.ts";
import { code, table } from "./markup.ts";
import type { RouteChange } from "./traffic.ts";

/** The services of the chain on one side of the update. */
function parts(routes: readonly RouteChange[], side: "before" | "after"): readonly ChainPart[] {
  return routes.flatMap(({ service, cluster, [side]: { role, shares } }) => {
    const [stable, canary] = [...shares.keys()];
    return role === undefined || stable === undefined
      ? []
      : [{ service, role, cluster, stable, canary, share: shares.get(canary ?? "") ?? 0 }];
  });
}

/** The chain as a table and a diagram of what is after the update, or nothing without a chain. */
export function chainLines(routes: readonly RouteChange[]): readonly string[] {
  const [before, after] = [parts(routes, "before"), parts(routes, "after")];
  const [then, now] = [before, after].map(
    (side) => new Map(chainRows(side).map((row) => [row.service, row])),
  );
  const rows = chainRows([
    ...after,
    ...before.filter(({ service }) => now?.has(service) !== true),
  ]).map(({ service, role }) => row(service, role, then?.get(service), now?.get(service)));
  if (rows.length === 0) return [];
  const head = ["service", "role", "stable", "canary", "clusters", "now", "after"];
  const marks = new Set(routes.flatMap((each) => each.after.mark ?? []));
  return [
    ...table(head, rows),
    ...(after.length === 0
      ? []
      : ["", `After the update${marked([...marks].sort())}:`, "", ...mermaid(lanes(after))]),
  ];
}

function marked(marks: readonly string[]): string {
  return marks.length === 0 ? "" : `, marked by ${oneOf(marks)}`;
}

function row(
  service: string,
  role: string,
  before: ChainRow | undefined,
  after: ChainRow | undefined,
): readonly string[] {
  const change = (of: (row: ChainRow) => string) => {
    const [then, now] = [before, after].map((side) => (side ? of(side) : "none"));
    return then === now || !before ? (now ?? "") : `${then ?? ""} → **${now ?? ""}**`;
  };
  const share = after?.share ?? "none";
  return [
    code(service),
    before && after ? change((side) => side.role) : role,
    change(({ stable }) => stable),
    change(({ canary }) => canary),
    (after ?? before)?.clusters ?? "",
    before?.share ?? "none",
    share === before?.share ? share : `**${share}**`,
  ];
}

/** Text in a node or beside an arrow, whatever is in it. */
function quoted(lines: readonly string[]): string {
  const entity = (character: string) => `#${character.codePointAt(0) ?? 0};`;
  return `"${lines.map((line) => line.replaceAll(/[^\p{L}\p{N} ./,:%()_-]/gu, entity)).join("<br>")}"`;
}

function mermaid(ways: ReturnType<typeof lanes>): readonly string[] {
  const lane = (name: "stable" | "canary", { label, entries, followers }: Lane) => [
    `  subgraph ${name}`,
    "    direction LR",
    ...entries.map((entry, i) => `    ${name}${i}[${quoted([entry])}]`),
    ...(followers.length > 0 ? [`    ${name}-followers[${quoted(followers)}]`] : []),
    ...(followers.length > 0 ? entries.map((_, i) => `    ${name}${i} --> ${name}-followers`) : []),
    "  end",
    ...entries.map((_, i) => `  requests -- ${quoted([label])} --> ${name}${i}`),
  ];
  return [
    "```mermaid",
    "flowchart LR",
    "  requests([requests])",
    ...lane("stable", ways.stable),
    ...(ways.canary ? lane("canary", ways.canary) : []),
    "```",
  ];
}
