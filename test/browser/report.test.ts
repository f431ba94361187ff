import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { AxeResults } from "axe-core";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportPage } from "../../release/report/page.ts";
import { CLUSTERS, reportOf, SERVICE, type Story } from "../helpers/simulated-release.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let browser: Browser;
let folder: string;
/** What any page has requested besides itself, and the errors it has reported. */
const asked: string[] = [];
const complaints: string[] = [];

async function open(
  story: Story,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Page> {
  // Axe is put into the page, whose policy forbids scripts.
  const context = await browser.newContext({ bypassCSP: true, ...options });
  const page = await context.newPage();
  const url = pathToFileURL(path.join(folder, `${story}.html`)).href;
  page.on("request", (request) => {
    if (request.url() !== url) asked.push(request.url());
  });
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  return page;
}

/** What axe finds wrong with a page. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations: found } = await page.evaluate<AxeResults>("axe.run()");
  return found.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "report-"));
  for (const story of ["good", "bad"] as const) {
    await writeFile(path.join(folder, `${story}.html`), reportPage(await reportOf(story)));
  }
  browser = await chromium.launch({
    // Debian's own, which takes root only so.
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
});

afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

describe("a report in a browser", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    it(`can be read by everybody, in ${colorScheme} colours, all details open`, async () => {
      const page = await open("bad", { colorScheme });
      for (const details of await page.locator("details").all()) {
        await details.locator("summary").click();
      }
      expect(await violations(page)).toEqual([]);
      const color = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
      expect(color).toBe(colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 24, 29)");
      await page.context().close();
    });

    it(`draws its charts in the ${colorScheme} colours`, async () => {
      const page = await open("good", { colorScheme });
      const strokes = await page.evaluate<string[]>(
        "[...document.querySelectorAll('svg path')].map((path) => getComputedStyle(path).stroke)",
      );
      expect(strokes).toContain(colorScheme === "light" ? "rgb(179, 71, 0)" : "rgb(255, 166, 87)");
      await page.context().close();
    });
  }

  it("can be navigated by a screen reader: landmarks, headings, named pictures and tables", async () => {
    const page = await open("bad");
    const tree = await page.locator("body").ariaSnapshot();
    for (const line of [
      "- banner:",
      '- navigation "Sections":',
      "- main:",
      '- region "Result":',
      '- heading "Result" [level=2]',
      '- region "Gates":',
      '- table "Gates at 10 %, 2026-11-24 15:24:53 UTC":',
      '- rowheader "cluster-b"',
      '- table "Alerts that have fired":',
      ...CLUSTERS.map((cluster) => `- img "Error rate of ${SERVICE.name} in ${cluster}"`),
    ]) {
      expect(tree).toContain(line);
    }
    await page.context().close();
  });

  it("can be navigated by keyboard: skip link, sections, tables, and the data of each chart", async () => {
    const page = await open("bad");
    const order: string[] = [];
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate<string>(
        "document.activeElement.tagName + ' ' + (document.activeElement.getAttribute('href') ?? document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent)",
      );
      if (order.length > 0 && at === order[0]) break;
      order.push(at);
    }
    expect(order.slice(0, 8)).toEqual([
      "A #main",
      ...["result", "traffic-0", "gates", "timeline", "alerts", "skew"].map((id) => `A #${id}`),
      "SUMMARY Data of: Traffic share of user/user-service in cluster-a",
    ]);
    expect(order.filter((each) => each.startsWith("SUMMARY"))).toHaveLength(6);
    await page.locator("summary").first().focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("details[open] table").isVisible()).toBe(true);
    await page.context().close();
  });

  it("fits a narrow screen without scrolling sideways", async () => {
    const page = await open("bad", { viewport: { width: 360, height: 800 } });
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(
      360,
    );
    await page.context().close();
  });

  it("is printed dark on light, without what is only for screens", async () => {
    const page = await open("bad", { colorScheme: "dark" });
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate<string>("getComputedStyle(document.body).backgroundColor")).toBe(
      "rgb(255, 255, 255)",
    );
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(await page.locator("details").first().isVisible()).toBe(false);
    expect(await page.locator("svg").first().isVisible()).toBe(true);
    await page.context().close();
  });

  it("has requested nothing and reported no error", async () => {
    const page = await open("good", { bypassCSP: false });
    await page.waitForLoadState("networkidle");
    await page.context().close();
    expect(asked).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
