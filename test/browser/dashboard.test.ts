import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Feed } from "../../release/dashboard/feed.ts";
import {
  CHART_PARTS,
  chartParts,
  LOOK_PARTS,
  lookParts,
  type Parts,
} from "../../release/dashboard/parts.ts";
import { serveDashboard, type Dashboard } from "../../release/dashboard/server.ts";
import type { ReleaseLook } from "../../release/status/look.ts";
import { lookOf } from "../helpers/simulated-look.ts";
import { reportOf } from "../helpers/simulated-release.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let browser: Browser;
let dashboard: Dashboard;
let look: () => ReleaseLook;
let charts: () => Parts;
let bad: Parts;
const complaints: string[] = [];

beforeAll(async () => {
  bad = chartParts(await reportOf("bad"));
  browser = await chromium.launch({
    // Debian's own, which takes root only so.
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
});
afterAll(async () => {
  await browser.close();
});

beforeEach(async () => {
  look = () => lookOf("good");
  charts = () => bad;
  const feed = new Feed([
    {
      makes: LOOK_PARTS,
      everyMs: 50,
      make: () => Promise.resolve().then(() => lookParts(look())),
    },
    { makes: CHART_PARTS, everyMs: 200, make: () => Promise.resolve().then(() => charts()) },
  ]);
  const staging = new Feed([
    { makes: ["state"], everyMs: 50, make: () => Promise.resolve(lookParts(lookOf("bad"))) },
  ]);
  dashboard = await serveDashboard(
    new Map([
      ["prod", feed],
      ["staging", staging],
    ]),
  );
});
afterEach(async () => {
  // Before the command ends, of which the browser tells at every try to reach it again.
  const told = complaints.splice(0);
  await Promise.all(browser.contexts().map((context) => context.close()));
  await dashboard.close();
  expect(told).toEqual([]);
});

/** @param shown what is waited for. @default a chart */
async function open(
  options: Parameters<Browser["newContext"]>[0] = {},
  shown = "#charts-part svg",
): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // Whatever the page's policy forbids is told there.
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(dashboard.url);
  await page.locator(shown).first().waitFor();
  return page;
}

describe("a dashboard in a browser", () => {
  it.each(["light", "dark"] as const)("can be read by everybody, in %s colours", async (scheme) => {
    look = () => lookOf("bad");
    // Axe is put into the page, whose policy forbids scripts.
    const page = await open({ colorScheme: scheme, bypassCSP: true });
    await page.evaluate(await readFile(AXE, "utf8"));
    const { violations } = await page.evaluate<AxeResults>("axe.run()");
    expect(
      violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`),
      ),
    ).toEqual([]);
  });

  it("says first how the release stands, and follows it without being loaded again", async () => {
    const page = await open();
    await page
      .locator("main")
      .getByText("Rolling out: the canary gets 30 % of the requests")
      .waitFor();
    expect(await page.getByText("Nothing needs your attention.").isVisible()).toBe(true);
    look = () => lookOf("bad");
    await page
      .locator("main")
      .getByText("A gate fails in cluster-b, at 10 % of the requests")
      .waitFor();
    expect(await page.title()).toBe(
      "✗ A gate fails in cluster-b, at 10\u00A0% of the requests – prod",
    );
    expect(await page.locator("#announced").textContent()).toBe(
      "✗ A gate fails in cluster-b, at 10\u00A0% of the requests",
    );
  });

  it("says that what it shows is old when the clusters cannot be read, and when the command has ended", async () => {
    const page = await open();
    look = () => {
      throw new Error("no cluster answers");
    };
    await page
      .locator("#connection")
      .getByText("What is shown is old: no cluster answers")
      .waitFor();
    expect(
      await page
        .locator("main")
        .getByText("Rolling out: the canary gets 30 % of the requests")
        .isVisible(),
    ).toBe(true);
    look = () => lookOf("good");
    await page.getByText("Live: read at").waitFor();
    expect(complaints.splice(0)).toEqual([]);
    await dashboard.close();
    await page
      .locator("#connection")
      .getByText("The command that reads the clusters does not answer")
      .waitFor();
    complaints.splice(0);
  });

  it("says of the charts alone that they are old when no Prometheus can be read", async () => {
    const page = await open();
    charts = () => {
      throw new Error("no Prometheus answers");
    };
    const old = page.locator("#charts").getByText("This is old: no Prometheus answers");
    await old.waitFor();
    await page.getByText("Live: read at").waitFor();
    expect(await page.locator("body.stale").count()).toBe(0);
    expect(await page.locator("#charts-part svg").first().isVisible()).toBe(true);
    charts = () => bad;
    await old.waitFor({ state: "hidden" });
  });

  it("says why there are no charts where they could never be read", async () => {
    charts = () => {
      throw new Error("no Prometheus answers");
    };
    const page = await open({}, "#charts-old:not([hidden])");
    expect(await page.locator("#charts-old").textContent()).toBe(
      "This cannot be shown: no Prometheus answers",
    );
    await page.getByText("Live: read at").waitFor();
  });

  it("leads from one stack to another, each with its own state and title", async () => {
    const page = await open();
    const stacks = page.getByRole("navigation", { name: "Stacks" });
    expect(await stacks.locator('[aria-current="page"]').textContent()).toBe("prod");
    await stacks.getByRole("link", { name: "staging" }).click();
    await page
      .locator("main")
      .getByText("A gate fails in cluster-b, at 10 % of the requests")
      .waitFor();
    expect(await page.locator("h1").textContent()).toBe("Stack staging");
    expect(await stacks.locator('[aria-current="page"]').textContent()).toBe("staging");
    expect(await page.title()).toBe(
      "✗ A gate fails in cluster-b, at 10\u00A0% of the requests – staging",
    );
    await stacks.getByRole("link", { name: "prod" }).click();
    await page
      .locator("main")
      .getByText("Rolling out: the canary gets 30 % of the requests")
      .waitFor();
  });

  it("can be navigated by a screen reader: landmarks, headings, named tables and pictures", async () => {
    const page = await open();
    const tree = await page.locator("body").ariaSnapshot();
    for (const line of [
      '- navigation "Stacks":',
      '- navigation "Sections":',
      "- main:",
      '- region "State":',
      '- region "Clusters":',
      '- table "Share of v2 in the requests to user/user-service, beside v1":',
      '- rowheader "cluster-b"',
      '- table "What the gates say of this phase":',
      '- img "99.8 %, interval',
      '- img "Error rate of user/user-service in cluster-a"',
    ]) {
      expect(tree).toContain(line);
    }
  });

  it("keeps what is open and where the reader is while it is made anew", async () => {
    const page = await open();
    const summary = page.locator("#charts-part summary").first();
    await summary.focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("#charts-part details[open]").count()).toBe(1);
    const good = chartParts(await reportOf("good"));
    charts = () => good;
    await page
      .locator("#charts-part desc", { hasText: "v2 (canary): from 0.0 % to 100.0 %" })
      .first()
      .waitFor({ state: "attached" });
    expect(await page.locator("#charts-part details[open]").count()).toBe(1);
    expect(await page.evaluate("document.activeElement.tagName")).toBe("SUMMARY");
  });

  it("fits a phone without scrolling sideways", async () => {
    const page = await open({ viewport: { width: 360, height: 800 } });
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(
      360,
    );
  });
});
