import { fromHtml } from "hast-util-from-html";
import { describe, expect, it } from "vitest";
import { lookParts } from "../../../../release/dashboard/parts.ts";
import { timed } from "../../../../release/rollout-event.ts";
import type { ReleaseLook } from "../../../../release/status/look.ts";
import { elements, rowsOf, text } from "../../../helpers/html.ts";
import { lookOf } from "../../../helpers/simulated-look.ts";

const page = (html = "") => fromHtml(html, { fragment: true });
const rows = (html = "") => rowsOf(page(html));
const bars = (html = "") =>
  elements(page(html), "rect")
    .filter(({ properties }) => String(properties.className).startsWith("fill"))
    .map(({ properties }) => [String(properties.className).slice(5), Number(properties.width)]);

const good = lookOf("good");
const [first, second] = good.status.clusters;
if (!first || !second) throw new Error("the simulated release has two clusters");

const withClusters = (...clusters: ReleaseLook["status"]["clusters"]): ReleaseLook => ({
  ...good,
  status: { ...good.status, clusters },
});

describe("a dashboard's state", () => {
  it("is who drives the rollout, and what comes next", () => {
    const { state } = lookParts(lookOf("bad"));
    expect(elements(page(state), "p").map(text).slice(1, 4)).toEqual([
      "user/user-service v2 (registry.example.com/user-service:2.0.1): rollout at 10 % since 2026-11-24 15:20:27 UTC (4 min), 1 look at the gates failed",
      "driven by release rollout of ann@laptop, last look 4 s ago",
      "next: back to 0 % in every cluster at the next look, in 26 s, if a gate fails then. To do so at once: npm run release -- rollback --stack prod --to zero",
    ]);
  });

  it("has commands that can be copied whole", () => {
    const [command, ...others] = elements(page(lookParts(lookOf("bad")).state), "code").map(text);
    expect(command).toBe("npm run release -- rollback --stack prod --to zero");
    expect(others).toEqual([]);
  });

  it("parts no number from its percent sign", () => {
    expect(lookParts(good).state).toContain("30\u00A0%");
  });
});

describe("a dashboard's clusters", () => {
  it("show what is configured, written, served and measured side by side", () => {
    const { fleet } = lookParts(good);
    expect(rows(fleet)).toEqual([
      ["Cluster", "Configured", "Written", "Served", "Measured", "5xx", "Health"],
      ...["cluster-a", "cluster-b"].map((cluster) => [
        ...[
          cluster,
          "30 %",
          "30 %",
          "30 % in 12 of 12 Envoys",
          "29.6 %",
          "v2: 0.1 %v1: 0.1 %",
          "✓ healthy",
        ],
      ]),
    ]);
    expect(bars(fleet).slice(0, 4)).toEqual([
      ["configured", 30],
      ["written", 30],
      ["served", 30],
      ["measured", 29.6],
    ]);
  });

  it("tell Envoys that lag, a cluster that is not read, and one that is away", () => {
    const { fleet } = lookParts(
      withClusters(
        { ...first, serving: 9, drift: ["cluster-a differs"] },
        {
          ...{ cluster: "cluster-b", config: 30, quarantined: false, weights: {} },
          ...{ envoys: 0, serving: 0, drift: [], unreachable: "connection refused" },
        },
        { ...second, cluster: "cluster-c", away: true, envoys: 0, versions: [] },
        { ...second, cluster: "cluster-d", quarantined: true, config: 0, weights: {} },
        { ...second, cluster: "cluster-e", away: true, drained: true, envoys: 0, versions: [] },
      ),
    );
    expect(rows(fleet).slice(1)).toEqual([
      [
        ...["cluster-a", "30 %", "30 %", "30 % in 9 of 12 Envoys", "29.6 %"],
        "v2: 0.1 %v1: 0.1 %",
        "✗ differs from the configuration",
      ],
      [
        ...[
          "cluster-bcannot be read",
          "30 %",
          "–",
          "–",
          "no requests",
          "v2: –v1: –",
          "… not known",
        ],
      ],
      ["cluster-caway", "30 %", "30 %", "–", "no requests", "v2: –v1: –", "… not known"],
      ["cluster-din quarantine", "0 %", "–", "–", "29.6 %", "v2: 0.1 %v1: 0.1 %", "✓ healthy"],
      ["cluster-eaway, drained", "30 %", "30 %", "–", "no requests", "v2: –v1: –", "… not known"],
    ]);
    expect(bars(fleet)).toContainEqual(["partly", 22.5]);
  });
});

describe("a dashboard's gates", () => {
  it("draw each interval with its limit, and say the same in words", () => {
    const { gates, fleet } = lookParts(lookOf("bad"));
    const [, ...found] = rows(gates);
    expect(found).toHaveLength(6);
    expect(found[0]).toEqual([
      "cluster-b",
      "success rate of user/user-service",
      "",
      "95.0 % (90.9 … 97.7 %) of 1064, at least 98.9 %",
      "✗ fail",
    ]);
    const failing = elements(page(gates), "svg").find(({ properties }) =>
      String(properties.className).includes("fail"),
    );
    expect(failing?.properties.ariaLabel).toBe("95.0 %, interval 90.9 … 97.7 %, at least 98.9 %");
    const placed = (tag: string, name: string) =>
      elements(failing ?? page(), tag).find(
        ({ properties }) => properties.className?.toString() === name,
      )?.properties;
    // Better is to the right, and all of the interval is worse than the limit.
    const between = placed("rect", "between");
    expect(Number(between?.x) + Number(between?.width)).toBeLessThan(
      Number(placed("line", "limit")?.x1),
    );
    expect(rows(fleet)[2]?.at(-1)).toBe("✗ gate success rate fails");
  });

  it("say so while none judges", () => {
    const { gates } = lookParts(lookOf("good", { verdicts: [] }));
    expect(text(page(gates))).toBe("No gate judges: no phase of a rollout runs.");
  });
});

describe("a dashboard's events", () => {
  it("are the newest first", () => {
    const { events } = lookParts({
      ...good,
      events: [
        ...good.events,
        timed({ event: "raise-failed", weight: 100, reason: " - cluster-b: 2 of 5 pods" }, 0),
      ],
    });
    const [newest] = elements(page(events), "li").map(text);
    expect(newest).toBe("00:00:00not raised to 100 %:\n - cluster-b: 2 of 5 pods");
  });

  it("cannot put anything into the page but text", () => {
    const { events, state } = lookParts({
      ...good,
      events: [
        timed({ event: "raise-failed", weight: 10, reason: "<script>alert(1)</script>" }, 0),
      ],
    });
    for (const html of [events, state]) {
      expect(html).toContain("&#x3C;script>");
      expect(elements(page(html), "script")).toEqual([]);
    }
  });
});

describe("a dashboard's chain", () => {
  it("is left out where there is none", () => {
    expect(lookParts(good).chain).toBe("");
  });

  it("shows both ways through it", () => {
    const part = { cluster: "cluster-a", stable: "v1", canary: "v2", share: 30 };
    const { chain } = lookParts(
      lookOf("good", {
        chain: {
          mark: "x-canary",
          services: [
            { ...part, service: "shop/front", role: "entry" },
            { ...part, service: "shop/orders", role: "follower" },
          ],
        },
      }),
    );
    expect(elements(page(chain), "h3").map(text)).toEqual([
      "Requests to stable versions: 70 %",
      "Requests to canaries: 30 %, marked",
    ]);
    expect(elements(page(chain), "li").map(text)).toEqual([
      "shop/front v1",
      "shop/orders v1",
      "shop/front v2",
      "shop/orders v2",
    ]);
  });
});
