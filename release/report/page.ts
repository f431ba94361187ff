import { readFileSync } from "node:fs";
import path from "node:path";
import { toHtml } from "hast-util-to-html";
import { h } from "hastscript";
import { briefRelease } from "../release-settings.ts";
import type { ReportData } from "./report-data.ts";
import {
  alertsSection,
  chartsSection,
  gatesSection,
  resultSection,
  skewSection,
  timelineSection,
} from "./sections.ts";

const STYLE = path.join(import.meta.dirname, "page.css");

/** The browser must load nothing and run nothing, whatever a name holds. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A report as one HTML page that needs nothing else. */
export function reportPage(data: ReportData): string {
  const title = `Release of ${briefRelease(data.release)}`;
  const services = data.services.map(({ name }, i) => ({ name, id: `traffic-${i}` }));
  const links = [
    ["result", "Result"],
    ...services.map(({ name, id }) => [id, `Traffic of ${name}`]),
    ["gates", "Gates"],
    ["timeline", "Phases and events"],
    ["alerts", "Alerts"],
    ["skew", "Fleet skew"],
  ];
  const page = h(null, [
    { type: "doctype" },
    h("html", { lang: "en" }, [
      h("head", [
        h("meta", { charSet: "utf-8" }),
        h("meta", { httpEquiv: "Content-Security-Policy", content: POLICY }),
        h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
        h("meta", { name: "color-scheme", content: "light dark" }),
        h("title", `${title}, stack ${data.stack}`),
        h("style", readFileSync(STYLE, "utf8")),
      ]),
      h("body", [
        h("a", { className: "skip", href: "#main" }, "Skip to the result"),
        h("header", [
          h("h1", title),
          h("p", `Stack ${data.stack}, clusters ${data.clusters.join(", ")}`),
        ]),
        h("nav", { ariaLabel: "Sections" }, [
          h(
            "ul",
            links.map(([id = "", name]) => h("li", [h("a", { href: `#${id}` }, name)])),
          ),
        ]),
        h("main", { id: "main", tabIndex: -1 }, [
          resultSection(data),
          ...services.map(({ name, id }) => chartsSection(data, name, id)),
          gatesSection(data),
          timelineSection(data),
          alertsSection(data),
          skewSection(data),
        ]),
      ]),
    ]),
  ]);
  return `${toHtml(page)}\n`;
}
