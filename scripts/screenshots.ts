/** Takes the pictures of docs/images, of a simulated release. It needs Chromium: `node lab/cli.ts build --browser`. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { mock } from "node:test";
import { chromium } from "playwright-core";
import { Feed } from "../release/dashboard/feed.ts";
import { CHART_PARTS, chartParts, LOOK_PARTS, lookParts } from "../release/dashboard/parts.ts";
import { serveDashboard } from "../release/dashboard/server.ts";
import { lookOf } from "../test/helpers/simulated-look.ts";
import { reportOf, type Story } from "../test/helpers/simulated-release.ts";

const FOLDER = path.join(import.meta.dirname, "..", "docs", "images");
const NAMES: Readonly<Record<Story, string>> = { good: "dashboard", bad: "dashboard-failing" };

const browser = await chromium.launch({
  // Debian's own, which takes root only so.
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
await mkdir(FOLDER, { recursive: true });
for (const story of ["good", "bad"] as const) {
  const look = lookOf(story);
  mock.timers.enable({ apis: ["Date"], now: look.status.period.until });
  const charts = chartParts(await reportOf(story));
  const feed = new Feed([
    { makes: LOOK_PARTS, everyMs: 60_000, make: () => Promise.resolve(lookParts(look)) },
    { makes: CHART_PARTS, everyMs: 60_000, make: () => Promise.resolve(charts) },
  ]);
  const dashboard = await serveDashboard(new Map([["prod", feed]]));
  const page = await browser.newPage({ viewport: { width: 1100, height: 1150 } });
  await page.goto(dashboard.url);
  await page.locator("#charts-part svg").first().waitFor();
  await page.screenshot({ path: path.join(FOLDER, `${NAMES[story]}.png`) });
  await dashboard.close();
  mock.timers.reset();
}
await browser.close();
