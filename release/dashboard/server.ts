import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import path from "node:path";
import type { Feed } from "./feed.ts";
import { dashboardPage } from "./page.ts";

/** The page loads what is beside it, and nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const FILES: Readonly<Record<string, readonly [type: string, file: string]>> = {
  "client.js": ["text/javascript", path.join(import.meta.dirname, "client.js")],
  "dashboard.css": ["text/css", path.join(import.meta.dirname, "dashboard.css")],
  "icon.svg": ["image/svg+xml", path.join(import.meta.dirname, "icon.svg")],
  "report.css": ["text/css", path.join(import.meta.dirname, "..", "report", "page.css")],
};

/** A dashboard that answers. */
export interface Dashboard {
  /** With the token, without which nothing is answered. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves the pages of stacks on this machine alone, to whoever has the URL.
 *
 * @param feeds by the stacks' names
 * @param port on 127.0.0.1. @default 0, a free one
 * @throws if the port is taken
 */
export async function serveDashboard(
  feeds: ReadonlyMap<string, Feed>,
  port = 0,
): Promise<Dashboard> {
  const token = randomBytes(24).toString("base64url");
  const server = createServer((request, response) => {
    answer(request, response, { token, feeds, port: portOf(server) });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const closed = once(server, "close");
  return {
    url: `http://127.0.0.1:${portOf(server)}/${token}/`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

interface Served {
  readonly token: string;
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly port: number;
}

function answer(
  { method, url = "/", headers }: IncomingMessage,
  response: ServerResponse,
  { token, feeds, port }: Served,
): void {
  const refuse = (status: number, text: string) => {
    response.writeHead(status, { ...HEADERS, "content-type": "text/plain" }).end(`${text}\n`);
  };
  // Else a page of another host that has its name point here could read the answers.
  if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(headers.host ?? "")) {
    refuse(403, "Ask for 127.0.0.1.");
    return;
  }
  if (method !== "GET") {
    refuse(405, "Only GET is answered.");
    return;
  }
  // One that is no path must not end the command.
  const asked = URL.canParse(url, "http://127.0.0.1") ? url : "/";
  const { pathname, searchParams } = new URL(asked, "http://127.0.0.1");
  const [, given = "", name = "", ...more] = pathname.split("/");
  const [first = ""] = feeds.keys();
  const stack = searchParams.get("stack") ?? first;
  const feed = feeds.get(stack);
  if (!isSame(given, token) || more.length > 0 || !feed || !pathname.startsWith(`/${token}/`)) {
    refuse(404, "There is nothing here: use the whole URL that the command has printed.");
    return;
  }
  const file = FILES[name];
  if (name === "") {
    const page = dashboardPage(stack, [...feeds.keys()]);
    response.writeHead(200, { ...HEADERS, "content-type": "text/html; charset=utf-8" }).end(page);
  } else if (file) {
    const [type, from] = file;
    response
      .writeHead(200, { ...HEADERS, "content-type": `${type}; charset=utf-8` })
      .end(readFileSync(from));
  } else if (name === "events") {
    sendEvents(feed, response);
  } else {
    refuse(404, "There is nothing here.");
  }
}

/** Server-sent events, as EventSource reads them. */
function sendEvents(feed: Feed, response: ServerResponse): void {
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
  response.write("retry: 2000\n\n");
  const leave = feed.follow((message) => {
    response.write(`event: parts\ndata: ${JSON.stringify(message)}\n\n`);
  });
  response.once("close", leave);
}
