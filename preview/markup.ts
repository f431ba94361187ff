import { markdownTable } from "markdown-table";

/** A part of a comment, or nothing where there are no lines in it. */
export function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`### ${title}`, "", ...lines, ""];
}

/** A piece of code within a line, whatever is in it. */
export function code(text: string): string {
  const line = text.replaceAll("\n", "\\n");
  if (!line.includes("`")) return `\`${line}\``;
  const longest = Math.max(...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence} ${line} ${fence}`;
}

/** Text in a cell of a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** A table, or nothing where there are no rows. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  if (rows.length === 0) return [];
  // Aligned columns would only make a comment longer, of which there is a limit.
  const text = markdownTable(
    [head, ...rows].map((cells) => cells.map(cell)),
    { alignDelimiters: false },
  );
  return text.split("\n");
}
