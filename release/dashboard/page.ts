import { toHtml } from "hast-util-to-html";
import { h } from "hastscript";
import { PARTS } from "./parts.ts";

/**
 * The page of a stack. A script beside it fills the parts, and keeps them as the clusters are.
 *
 * @param stacks all that the dashboard shows
 */
export function dashboardPage(stack: string, stacks: readonly string[]): string {
  const parts = Object.entries(PARTS);
  const page = h(null, [
    { type: "doctype" },
    h("html", { lang: "en" }, [
      h("head", [
        h("meta", { charSet: "utf-8" }),
        h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
        h("meta", { name: "color-scheme", content: "light dark" }),
        h("title", `Releases of stack ${stack}`),
        h("link", { rel: "icon", href: "icon.svg" }),
        h("link", { rel: "stylesheet", href: "report.css" }),
        h("link", { rel: "stylesheet", href: "dashboard.css" }),
        h("script", { src: "client.js", defer: true }),
      ]),
      h("body", { dataStack: stack }, [
        h("a", { className: "skip", href: "#state" }, "Skip to the state"),
        h("header", [
          h("h1", `Stack ${stack}`),
          h("p", { id: "connection" }, "Reading the clusters …"),
          h("p", { id: "announced", className: ["unseen"], role: "status" }),
        ]),
        ...(stacks.length > 1
          ? [
              h("nav", { ariaLabel: "Stacks" }, [
                h(
                  "ul",
                  stacks.map((each) =>
                    h("li", [
                      h(
                        "a",
                        {
                          href: `?${new URLSearchParams({ stack: each }).toString()}`,
                          ...(each === stack && { ariaCurrent: "page" }),
                        },
                        each,
                      ),
                    ]),
                  ),
                ),
              ]),
            ]
          : []),
        h("nav", { ariaLabel: "Sections" }, [
          h(
            "ul",
            parts.map(([id, title]) => h("li", [h("a", { href: `#${id}` }, title)])),
          ),
        ]),
        h(
          "main",
          parts.map(([id, title]) =>
            h("section", { id, tabIndex: -1, ariaLabelledBy: [`${id}-heading`] }, [
              h("h2", { id: `${id}-heading` }, title),
              h("p", { id: `${id}-old`, className: ["old"], hidden: true }),
              h("div", { id: `${id}-part` }),
            ]),
          ),
        ),
        h("noscript", [h("p", "This page needs JavaScript: it follows the clusters.")]),
      ]),
    ]),
  ]);
  return `${toHtml(page)}\n`;
}
