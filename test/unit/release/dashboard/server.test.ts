import http from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Feed } from "../../../../release/dashboard/feed.ts";
import { serveDashboard, type Dashboard } from "../../../../release/dashboard/server.ts";

let dashboard: Dashboard;
let made = 0;

beforeEach(async () => {
  made = 0;
  const feed = new Feed([
    {
      makes: ["state"],
      everyMs: 5,
      make: () => Promise.resolve({ state: `look ${(made += 1)}` }),
    },
  ]);
  dashboard = await serveDashboard(
    new Map([
      ["prod", feed],
      ["staging", feed],
    ]),
  );
});
afterEach(async () => {
  await dashboard.close();
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function ask(url: string | URL, options: http.RequestOptions = {}): Promise<Answer> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(url, options, resolve).once("error", reject);
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    body: await text(response),
  };
}

describe("a dashboard's server", () => {
  it("listens on this machine alone", () => {
    expect(new URL(dashboard.url).hostname).toBe("127.0.0.1");
  });

  it("gives the page, which runs and loads nothing that is not beside it", async () => {
    const { status, headers, body } = await ask(dashboard.url);
    expect(status).toBe(200);
    expect(body).toContain("<title>Releases of stack prod</title>");
    expect(headers).toMatchObject({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
    });
    for (const [, file = ""] of body.matchAll(/(?:href|src)="([\w.]+)"/g)) {
      expect((await ask(new URL(file, dashboard.url))).status, file).toBe(200);
    }
    expect((await ask(new URL("?stack=staging", dashboard.url))).body).toContain(
      "Releases of stack staging",
    );
  });

  it.each([
    ["", 404],
    ["/", 404],
    ["/wrong/", 404],
    ["/wrong/events", 404],
    ["/wrong/client.js", 404],
  ])("answers %j without its token by nothing", async (path, expected) => {
    const { status, body } = await ask(new URL(path, new URL(dashboard.url).origin));
    expect(status).toBe(expected);
    expect(body).toBe("There is nothing here: use the whole URL that the command has printed.\n");
  });

  it("goes on when somebody asks for what is no path", async () => {
    const answer = await ask(dashboard.url, { path: "//[" });
    expect(answer.status).toBe(404);
    expect((await ask(dashboard.url)).status).toBe(200);
  });

  it.each(["nothing", "../page.css", "%2e%2e/page.css", "client.js/more", "?stack=other"])(
    "has no %s",
    async (path) => {
      expect((await ask(`${dashboard.url}${path}`)).status).toBe(404);
    },
  );

  it("refuses the names of other hosts, which a page of theirs could let point here", async () => {
    const { status } = await ask(dashboard.url, { headers: { host: "example.com" } });
    expect(status).toBe(403);
  });

  it("changes nothing, whatever is sent", async () => {
    expect((await ask(dashboard.url, { method: "POST" })).status).toBe(405);
  });

  it("tells a reader what is new for as long as it listens, and asks nobody afterwards", async () => {
    const events = new URL("events", dashboard.url);
    const response = await new Promise<http.IncomingMessage>((resolve) => {
      http.get(events, resolve);
    });
    expect(response.headers["content-type"]).toBe("text/event-stream");
    let seen = "";
    for await (const part of response) {
      seen += String(part);
      if (seen.includes("look 3")) break;
    }
    expect(seen).toMatch(
      /^retry: 2000\n\nevent: parts\ndata: \{"parts":\{"state":"look 1"\},"makes":\["state"\],"at":/,
    );
    // Once its end is heard of, nothing is made any more, ten times as long as a pause is.
    await vi.waitFor(
      async () => {
        const before = made;
        await wait(50);
        expect(made).toBe(before);
      },
      { timeout: 5_000 },
    );
  });
});
