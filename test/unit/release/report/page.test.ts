import type { Nodes } from "hast";
import { fromHtml } from "hast-util-from-html";
import { beforeAll, describe, expect, it } from "vitest";
import { marksOf } from "../../../../release/report/charts.ts";
import { duration } from "../../../../release/report/format.ts";
import type { ReportData } from "../../../../release/report/report-data.ts";
import { reportPage } from "../../../../release/report/page.ts";
import { timed } from "../../../../release/rollout-event.ts";
import { elements, rowsOf, text } from "../../../helpers/html.ts";
import { CLUSTERS, eventsOf, reportOf, SERVICE } from "../../../helpers/simulated-release.ts";

describe("a report's page", () => {
  let html: string;
  let page: Nodes;
  beforeAll(async () => {
    html = reportPage(await reportOf("bad"));
    page = fromHtml(html);
  });

  it("says first how it ended and why", () => {
    const [main] = elements(page, "main");
    const [result] = main ? elements(main, "section") : [];
    expect(result && text(result)).toMatch(
      /^Result✗ Rolled back in every cluster: cluster-b: success rate of v2/,
    );
  });

  it("says of what follows the mark of a chain whose weights these are", async () => {
    const told = async (services: ReportData["services"]) =>
      reportPage(await reportOf("good", { services })).includes("It follows the mark of the chain");
    expect(await told([SERVICE])).toBe(false);
    expect(await told([{ ...SERVICE, role: "follower" }])).toBe(true);
  });

  it("needs nothing but itself, and runs nothing", () => {
    expect(/https?:|\/\/[a-z]/.exec(html)).toBeNull();
    expect(elements(page, "script")).toEqual([]);
    for (const { properties } of elements(page)) {
      for (const [name, value] of Object.entries(properties)) {
        expect(name).not.toMatch(/^(src|on[A-Z])/);
        if (name === "href") expect(value).toMatch(/^#/);
      }
    }
    const policy = elements(page, "meta").find(({ properties }) => properties.httpEquiv);
    expect(policy?.properties.content).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/);
    expect(/@import|url\((?!#)/.test(html)).toBe(false);
  });

  it("draws share, errors and latency of each cluster, each with a name, a description and its data", () => {
    const drawings = elements(page, "svg");
    expect(drawings.map((svg) => text(elements(svg, "title")[0] ?? svg))).toEqual(
      ["Traffic share", "Error rate", "Latency"].flatMap((what) =>
        CLUSTERS.map((cluster) => `${what} of ${SERVICE.name} in ${cluster}`),
      ),
    );
    const ids = elements(page).flatMap(({ properties: { id } }) => (id === undefined ? [] : [id]));
    expect(new Set(ids).size).toBe(ids.length);
    for (const svg of drawings) {
      expect(svg.properties.role).toBe("img");
      for (const key of ["ariaLabelledBy", "ariaDescribedBy"]) {
        expect(ids).toEqual(expect.arrayContaining(svg.properties[key] as string[]));
      }
      expect(text(elements(svg, "desc")[0] ?? svg)).toMatch(/v2.*: from .* to .*, at last/);
    }
    expect(elements(page, "details")).toHaveLength(6);
    for (const details of elements(page, "details")) {
      const [table] = elements(details, "table");
      expect(table && rowsOf(table).length).toBeGreaterThan(50);
    }
  });

  it("shows the configured weights as steps beside the share, in the chart and in its table", () => {
    const [details] = elements(page, "details");
    const [head = [], ...rows] = details ? rowsOf(details) : [];
    expect(head).toEqual(["Time", "weight of v2", "weight of v1", "v2 (canary)", "v1 (stable)"]);
    expect([...new Set(rows.map(([, weight]) => weight))]).toEqual(["0.0 %", "10.0 %"]);
    const [svg] = elements(page, "svg");
    const words = svg ? elements(svg, "text").map(text) : [];
    expect(words).toEqual(expect.arrayContaining(["weights", "v2 (canary)", "10 %", "4–6"]));
  });

  it("takes its colours from the style sheet, so that they follow dark and light", () => {
    const colors = elements(page, "svg").flatMap((svg) =>
      elements(svg).flatMap(({ properties: { stroke, fill } }) => [stroke, fill]),
    );
    expect(new Set(colors)).toContain("var(--canary)");
    const fixed = colors.filter((color) => /^#|rgb/.test(String(color)) && color !== "#000");
    expect(fixed).toEqual([]);
  });

  it("lists each gate's verdict in each cluster with value, interval, limit and requests", () => {
    const table = elements(page, "table").find((each) =>
      text(elements(each, "caption")[0] ?? each).startsWith("Gates at 10 %"),
    );
    const rows = table ? rowsOf(table) : [];
    expect(rows).toHaveLength(7);
    const bad = rows.find((row) => row[3]?.includes("fail"));
    expect(bad).toEqual([
      "cluster-b",
      SERVICE.name,
      "success rate",
      "✗ fail",
      "95.0 %",
      expect.stringMatching(/^9\d\.\d … 9\d\.\d %$/),
      "at least 98.9 %",
      "1064",
    ]);
    expect(rows.map((row) => row[6])).toContain("wanted 10.0 % ± 5");
  });

  it("says what the skew is and how it is measured", () => {
    const section = elements(page, "section").find(({ properties: { id } }) => id === "skew");
    expect(section && text(section)).toContain("by the first reading of it");
    expect(section && rowsOf(section).slice(1)).toEqual([
      ["10 %", "cluster-a at 15:20:15", "cluster-b at 15:20:17", "2 s", "18 s"],
      ["0 %", "cluster-a at 15:25:00", "cluster-b at 15:25:02", "2 s", "13 s"],
    ]);
  });

  it("names every table and its columns and rows", () => {
    for (const table of elements(page, "table")) {
      expect(elements(table, "caption")).toHaveLength(1);
      for (const th of elements(table, "th")) {
        expect(["col", "row"]).toContain(th.properties.scope);
      }
    }
  });

  it("shows hostile names as text", async () => {
    const hostile = `</title><script>alert(1)</script><img src=x onerror="alert(2)">'"&amp;`;
    const evil = reportPage(
      await reportOf("bad", {
        stack: hostile,
        clusters: [hostile],
        services: [{ name: `user/${hostile}`, stable: hostile, canary: "v2" }],
        metrics: new Map(),
        events: [
          timed({ event: "begin", release: hostile, weight: 10, resumed: false }, Date.now() - 9e5),
          timed({ event: "end", result: "stopped", reason: hostile }, Date.now()),
        ],
      }),
    );
    const parsed = fromHtml(evil);
    expect(elements(parsed, "script")).toEqual([]);
    expect(elements(parsed, "img")).toEqual([]);
    expect(elements(parsed, "h1").map(text)).toEqual([`Release of ${hostile}`]);
    expect(text(parsed)).toContain(`Stopped: ${hostile}`);
  });

  it("shows hostile names as text in charts too", async () => {
    const hostile = `"><script>alert(1)</script>`;
    const data = await reportOf("bad");
    const rename = (version: string) => (version === "v2" ? hostile : version);
    const evil = reportPage({
      ...data,
      services: [{ ...SERVICE, canary: hostile }],
      measurements: data.measurements.map((each) => ({
        ...each,
        share: each.share.map(({ version, points }) => ({ version: rename(version), points })),
      })),
    });
    const parsed = fromHtml(evil);
    expect(elements(parsed, "script")).toEqual([]);
    expect(elements(parsed, "text").map(text)).toContain(`${hostile} (canary)`);
  });

  it("says which cluster's metrics are missing, and draws the others", async () => {
    const data = await reportOf("good");
    const [first, second] = data.measurements;
    if (!first || !second) throw new Error("there are no measurements");
    const silent = { share: [], errors: [], p50: [], p99: [], silent: "connection refused" };
    const partial = fromHtml(
      reportPage({ ...data, measurements: [first, { ...second, ...silent }] }),
    );
    expect(elements(partial, "svg")).toHaveLength(3);
    expect(text(partial)).toContain("user/user-service in cluster-b: connection refused");
    expect(text(partial)).toContain("No data: connection refused");
  });

  it("says so when nothing is remembered", async () => {
    const empty = fromHtml(reportPage(await reportOf("good", { events: [] })));
    expect(text(empty)).toContain("no rollout of it is recorded");
    expect(text(empty)).toContain("No verdicts are recorded.");
  });
});

describe("marks", () => {
  it("are one where they are too close, with the numbers of all their events", () => {
    const events = eventsOf("good").filter(({ event }) => event !== "look");
    const [from, to] = [events[0], events.at(-1)].map((each) => Date.parse(each?.time ?? ""));
    const marks = marksOf({ events, from: from ?? 0, to: to ?? 0 });
    expect(marks.map(({ label }) => label)).toEqual(["1–3", "4–5", "6–7", "8"]);
    expect(marks[0]?.at).toBe(from);
  });
});

describe("durations", () => {
  it("are in their two largest units", () => {
    expect([0, 1500, 59_400, 60_000, 133_000, 3_723_000].map(duration)).toEqual([
      ...["0 s", "1.5 s", "59 s", "1 min", "2 min 13 s", "1 h 2 min"],
    ]);
  });
});
