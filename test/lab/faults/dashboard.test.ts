import { execa } from "execa";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { labEnvironment } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { BROWSER, installPackages } from "../../../lab/toolchain/packages.ts";
import { run } from "../../../lab/toolchain/run.ts";
import { signal } from "../component.ts";
import { ownStack } from "../own-stack.ts";
import { second } from "../release.ts";
import { withRollouts } from "../rollouts.ts";

const settings = labSettings();
const { deployCanary, release, expectRollback } = withRollouts("dashboard", [30, 100], 40);

function start() {
  return execa("node", ["release/cli.ts", "dashboard", "--stack", ownStack("dashboard")], {
    cwd: settings.root,
    env: labEnvironment(settings),
    reject: false,
  });
}

describe("release dashboard", { tags: ["campaign"] }, () => {
  let dashboard: ReturnType<typeof start>;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  const title = (text: string) =>
    page.locator("#state-part .title", { hasText: text }).waitFor({ timeout: 240_000 });

  beforeAll(async () => {
    const log = `${settings.dir}/logs/browser.log`;
    await installPackages(BROWSER, {
      progress: () => undefined,
      run: (program, args, options = {}) => run(program, args, { ...options, log }),
    });
    dashboard = start();
    const url = await new Promise<string>((resolve) => {
      dashboard.stdout.once("data", (line: Buffer) => {
        resolve(line.toString().trim());
      });
    });
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox"],
    });
    page = await browser.newPage();
    // A cluster that does not answer is waited for, at each look.
    page.setDefaultTimeout(120_000);
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(url);
  });
  afterAll(async () => {
    await browser.close();
    dashboard.kill("SIGINT");
    await dashboard;
  });

  it("shows a release before any rollout", async () => {
    await title("No rollout: the canary gets 0 % of the requests");
    await page.getByRole("row", { name: `${second.name} 0 % 0 % 0 % in` }).waitFor();
  });

  it("follows a bad canary up, and back with the reason", async () => {
    const ended = release();
    await title("Rolling out: the canary gets 30 % of the requests");
    await page.getByRole("row", { name: `${second.name} 30 % 30 % 30 % in` }).waitFor();
    await expectRollback(await ended, "success rate", 95);
    await title("Rolled back: the canary gets 0 % of the requests in every cluster");
    const [newest] = await page.locator("#events-part li").allTextContents();
    expect(newest).toMatch(/rolled-back: cluster-b: success rate of v2 /);
  });

  it("names a cluster that does not answer, and goes on with the others", async () => {
    await signal(second.name, "kube-apiserver", "SIGSTOP");
    try {
      await page.getByText(`${second.name} cannot be read: no answer in time`).waitFor();
      await page.getByRole("rowheader", { name: `${second.name}cannot be read` }).waitFor();
      await page.getByRole("row", { name: /^cluster-a 0 % 0 % 0 % in/ }).waitFor();
    } finally {
      await signal(second.name, "kube-apiserver", "SIGCONT");
    }
  });

  it("follows a good canary to 100 %", async () => {
    await deployCanary("v2");
    const ended = release();
    await title("Rolling out: the canary gets 100 % of the requests");
    expect((await ended).exitCode).toBe(0);
    await title("Done: the canary gets 100 % of the requests in every cluster");
    await page.getByRole("img", { name: /^Traffic share of .* in cluster-b$/ }).waitFor();
    expect(complaints).toEqual([]);
  });
});
