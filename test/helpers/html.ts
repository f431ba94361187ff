import type { Element, Nodes } from "hast";

/** All elements in a tree, or those with a tag, in their order. */
export function elements(node: Nodes, tag?: string): Element[] {
  const own = node.type === "element" && (tag === undefined || node.tagName === tag) ? [node] : [];
  return "children" in node
    ? [...own, ...node.children.flatMap((child) => elements(child, tag))]
    : own;
}

/** All text in a tree, as it is read: with plain spaces. */
export function text(node: Nodes): string {
  if (node.type === "text") return node.value.replaceAll("\u00A0", " ");
  return "children" in node ? node.children.map(text).join("") : "";
}

/** The texts of a table's cells, row by row. */
export function rowsOf(table: Nodes): string[][] {
  return elements(table, "tr").map((row) =>
    [...elements(row, "th"), ...elements(row, "td")].map(text),
  );
}
