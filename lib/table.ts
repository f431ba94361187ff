import Table from "cli-table3";

/**
 * A table for terminals and logs: no colours, and no lines between the rows.
 *
 * @param head titles of the columns
 */
export function textTable(head: readonly string[]): Table.Table {
  return new Table({
    head: [...head],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
}
