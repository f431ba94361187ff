import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notify } from "../../../release/notifications.ts";
import { askWebhooks } from "../../../release/webhooks.ts";

const body = { release: "user/user-service v2", clusters: ["cluster-a"], weight: 10 };
let server: Server;
let base: string;
let seen: { path: string; body: unknown; json: string; headers: IncomingHttpHeaders }[];
/** Statuses of the next answers, whatever the path. */
let answers: number[];

/** Answers with the status that the path names; not at all on /silent. */
beforeEach(async () => {
  seen = [];
  answers = [];
  server = createServer((request, response) => {
    void text(request).then((json) => {
      const { url: path = "", headers } = request;
      seen.push({ path, body: JSON.parse(json) as unknown, json, headers });
      if (request.url === "/silent") return;
      response.statusCode = answers.shift() ?? (Number(request.url?.slice(1)) || 200);
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
    expect(seen.find(({ path }) => path === "/204")?.body).toEqual({
      webhook: "hook-204",
      when: "confirm",
      ...body,
    });
  });
});

describe("a webhook that answers for nobody", () => {
  it.each(["429", "502", "503", "504"])("with %s has no opinion", async (status) => {
    expect(await askWebhooks([webhook(status)], "confirm", body)).toEqual([
      {
        outcome: "hold",
        blind: true,
        text: `webhook hook-${status} does not answer: HTTP ${status}`,
      },
    ]);
  });
});

describe("notify", () => {
  const event = { event: "roll-back", reason: "cluster-b: success rate 95 %" } as const;
  const times = { answer: 1_000, firstPause: 1, retries: 2 };
  const to = (path: string, format: "slack" | "teams" | "alertmanager" | "webhook", more = {}) => ({
    url: `${base}/${path}`,
    format,
    headers: {},
    hmacKey: undefined,
    ...more,
  });

  it("speaks Slack's and Alertmanager's formats", async () => {
    expect(await notify([to("200", "slack"), to("", "alertmanager")], event, "prod")).toEqual([]);
    const bodyOf = (at: string) => seen.find(({ path }) => path === at)?.body;
    expect(bodyOf("/200")).toEqual({
      text: "prod: rolling back in every cluster: cluster-b: success rate 95 %",
    });
    expect(bodyOf("/api/v2/alerts")).toEqual([
      {
        labels: { alertname: "ReleaseRolledBack", severity: "critical", stack: "prod" },
        annotations: {
          summary: "The release of prod is rolled back",
          description: "cluster-b: success rate 95 %",
        },
      },
    ]);
  });

  it("speaks Teams' format, in a card", async () => {
    expect(await notify([to("200", "teams")], event, "prod")).toEqual([]);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.body).toMatchObject({
      type: "message",
      attachments: [
        {
          contentType: "application/vnd.microsoft.card.adaptive",
          content: {
            type: "AdaptiveCard",
            body: [{ text: "prod: rolling back in every cluster: cluster-b: success rate 95 %" }],
          },
        },
      ],
    });
  });

  it("gives a webhook the event with its headers, signed", async () => {
    const more = { headers: { Authorization: "Bearer hush" }, hmacKey: "key" };
    const waits = { event: "waits", weight: 10, for: "approval", reason: "30 %" } as const;
    expect(await notify([to("200", "webhook", more)], waits, "prod")).toEqual([]);
    const [got] = seen;
    expect(got?.body).toEqual({
      stack: "prod",
      text: "prod: waits at 10 % (approval): 30 %",
      ...waits,
    });
    const signature = createHmac("sha256", "key")
      .update(got?.json ?? "")
      .digest("hex");
    expect(got?.headers).toMatchObject({
      authorization: "Bearer hush",
      "x-signature-256": `sha256=${signature}`,
    });
  });

  it.each([
    { event: "waits", weight: 10, for: "paused", reason: "paused by ann" },
    { event: "raise-waits", weight: 30, reason: "the stack is locked" },
    { event: "raise-failed", weight: 30, reason: "refused" },
  ] as const)("tells people of $event", async (each) => {
    expect(await notify([to("200", "slack")], each, "prod")).toEqual([]);
    expect(JSON.stringify(seen[0]?.body)).toContain(each.reason);
  });

  it("tries again where nobody answers, and not where the message is refused", async () => {
    answers = [503, 429, 200];
    expect(await notify([to("x", "slack")], event, "prod", times)).toEqual([]);
    expect(seen).toHaveLength(3);
    expect(await notify([to("403", "slack")], event, "prod", times)).toEqual([
      "rollout.notifications[0] answers HTTP 403",
    ]);
    expect(seen).toHaveLength(4);
  });

  it("says who could not be told after all tries, without the URL", async () => {
    expect(await notify([to("500", "slack"), to("silent", "slack")], event, "prod", times)).toEqual(
      [
        "rollout.notifications[0] answers HTTP 500",
        "rollout.notifications[1] does not answer: no answer in time",
      ],
    );
    expect(seen).toHaveLength(6);
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
    expect(await notify([to("200", "slack")], look, "prod")).toEqual([]);
    expect(seen).toEqual([]);
  });
});
