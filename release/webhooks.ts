import { explain } from "../fleet/explain.ts";
import { durationMs } from "../lib/duration.ts";
import type { Rollout } from "../stacks/schema.ts";
import type { Verdict } from "./planner.ts";

/** Statuses of proxies whose server does not answer, and of busy servers: they say nothing about the canary. */
export const NO_ANSWER: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

type Webhook = Rollout["webhooks"][number];

/** What a webhook is told. */
export interface WebhookBody {
  readonly release: string;
  readonly clusters: readonly string[];
  /** The weight that the canary has. */
  readonly weight: number;
}

/** Asks all webhooks of a time. Their URLs, which may be secret, are in no text. */
export async function askWebhooks(
  webhooks: readonly Webhook[],
  when: Webhook["when"],
  body: WebhookBody,
): Promise<readonly Verdict[]> {
  return Promise.all(
    webhooks.filter((webhook) => webhook.when === when).map((webhook) => askWebhook(webhook, body)),
  );
}

async function askWebhook(
  { name, when, url, timeout }: Webhook,
  body: WebhookBody,
): Promise<Verdict> {
  try {
    const answer = JSON.stringify({ webhook: name, when, ...body });
    const { ok, status } = await post(url, answer, durationMs(timeout));
    if (NO_ANSWER.has(status)) throw new Error(`HTTP ${status}`);
    return {
      outcome: ok ? "pass" : "fail",
      blind: false,
      text: `webhook ${name} says ${ok ? "yes" : "no"} (HTTP ${status})`,
    };
  } catch (error) {
    return {
      outcome: "hold",
      blind: true,
      text: `webhook ${name} does not answer: ${explain(error)}`,
    };
  }
}

/** POSTs a text of JSON, and waits so long for the answer. */
export async function post(
  url: string,
  json: string,
  timeoutMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: json,
    signal: AbortSignal.timeout(timeoutMs),
  });
  // Nobody reads it, and unread it would keep the connection.
  await response.body?.cancel();
  return response;
}
