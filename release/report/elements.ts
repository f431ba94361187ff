import type { Element, ElementContent } from "hast";
import { h } from "hastscript";

type Cell = string | ElementContent | readonly ElementContent[];

/** A table for people: a caption, named columns, and the first cell of each row as its name. */
export interface TableArgs {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A table in a frame that scrolls by keyboard too, where it is wider than the page. */
export function table({ caption, head, rows }: TableArgs): Element {
  return h("div", { className: "scroll", role: "group", ariaLabel: caption, tabIndex: 0 }, [
    h("table", [
      h("caption", caption),
      h("thead", [
        h(
          "tr",
          head.map((title) => h("th", { scope: "col" }, title)),
        ),
      ]),
      h(
        "tbody",
        rows.map((row) =>
          h(
            "tr",
            row.map((cell, i) =>
              i === 0 ? h("th", { scope: "row" }, children(cell)) : h("td", children(cell)),
            ),
          ),
        ),
      ),
    ]),
  ]);
}

function children(cell: Cell): ElementContent[] {
  if (typeof cell === "string") return [{ type: "text", value: cell }];
  return "type" in cell ? [cell] : [...cell];
}

/** A part of the page, which its heading names. */
export function section(
  id: string,
  title: string,
  content: readonly (ElementContent | undefined)[],
): Element {
  return h("section", { id, ariaLabelledBy: [`${id}-heading`] }, [
    h("h2", { id: `${id}-heading` }, title),
    ...content.filter((each) => each !== undefined),
  ]);
}

const SIGNS: Readonly<Record<string, string>> = {
  pass: "✓",
  done: "✓",
  fail: "✗",
  "rolled-back": "✗",
  "rollback-incomplete": "✗",
  hold: "…",
};

/** An outcome in words, with a sign and a colour of its own. */
export function outcome(name: string, words: string = name): Element {
  const sign = SIGNS[name] ?? "•";
  const kind = { "✓": "good", "✗": "bad" }[sign] ?? "open";
  return h("span", { className: ["outcome", kind] }, [
    h("span", { ariaHidden: "true" }, `${sign} `),
    words,
  ]);
}
