import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notify } from "../../../release/notifications.ts";
import { askWebhooks } from "../../../release/webhooks.ts";

const body = { release: "user/user-service v2", clusters: ["cluster-a"], weight: 10 };
let server: Server;
let base: string;
let seen: { path: string; body: unknown }[];

/** Answers with the status that the path names; not at all on /silent. */
beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    void text(request).then((json) => {
      seen.push({ path: request.url ?? "", body: JSON.parse(json) as unknown });
      if (request.url === "/silent") return;
      response.statusCode = Number(request.url?.slice(1)) || 200;
      response.end("answer");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const webhook = (path: string, when: "before" | "during" | "confirm" = "confirm") => ({
  name: `hook-${path}`,
  when,
  url: `${base}/${path}`,
  timeout: path === "silent" ? "200ms" : "50s",
});

describe("askWebhooks", () => {
  it("treats 2xx as a yes, all else as a no, and no answer as none; and shows no URL", async () => {
    const hooks = [webhook("204"), webhook("409"), webhook("silent"), webhook("200", "before")];
    const verdicts = await askWebhooks(hooks, "confirm", body);
    expect(verdicts).toEqual([
      { outcome: "pass", blind: false, text: "webhook hook-204 says yes (HTTP 204)" },
      { outcome: "fail", blind: false, text: "webhook hook-409 says no (HTTP 409)" },
      {
        outcome: "hold",
        blind: true,
        text: "webhook hook-silent does not answer: no answer in time",
      },
    ]);
    expect(seen).toContainEqual({
      path: "/204",
      body: { webhook: "hook-204", when: "confirm", ...body },
    });
  });
});

describe("notify", () => {
  const event = { event: "roll-back", reason: "cluster-b: success rate 95 %" } as const;

  it("speaks Slack's and Alertmanager's formats", async () => {
    const to = [
      { url: `${base}/200`, format: "slack" as const },
      { url: `${base}/`, format: "alertmanager" as const },
    ];
    expect(await notify(to, event, "prod")).toEqual([]);
    expect(seen).toContainEqual({
      path: "/200",
      body: { text: "prod: rolling back in every cluster: cluster-b: success rate 95 %" },
    });
    expect(seen).toContainEqual({
      path: "/api/v2/alerts",
      body: [
        {
          labels: { alertname: "ReleaseRolledBack", severity: "critical", stack: "prod" },
          annotations: {
            summary: "The release of prod is rolled back",
            description: "cluster-b: success rate 95 %",
          },
        },
      ],
    });
  });

  it("says who could not be notified, without the URL", async () => {
    const to = [{ url: `${base}/500`, format: "slack" as const }];
    expect(await notify(to, event, "prod")).toEqual(["rollout.notifications[0] answers HTTP 500"]);
  });

  it("keeps looks to itself", async () => {
    const look = {
      event: "look",
      weight: 10,
      step: "wait",
      reason: "bake",
      since: "",
      verdicts: [],
    } as const;
    expect(await notify([{ url: `${base}/200`, format: "slack" }], look, "prod")).toEqual([]);
    expect(seen).toEqual([]);
  });
});
