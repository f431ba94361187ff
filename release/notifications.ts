import { createHmac } from "node:crypto";
import pRetry, { AbortError } from "p-retry";
import { explain } from "../fleet/explain.ts";
import type { Rollout } from "../stacks/schema.ts";
import { briefRelease } from "./release-settings.ts";
import type { RolloutEvent } from "./rollout-event.ts";
import { NO_ANSWER, post } from "./webhooks.ts";

type Notification = Rollout["notifications"][number];

/** What the guard of a cluster does that people are told. */
export interface GuardEvent {
  readonly event: "guard";
  readonly cluster: string;
  /** lower: it takes the canary back. hold: it reaches no other cluster. */
  readonly does: "hold" | "lower";
  /** Percent that the canary had. */
  readonly weight: number;
  readonly reason: string;
}

type NotifiedEvent = RolloutEvent | GuardEvent;

/** Times in milliseconds; nothing else waits for them. */
const TIMES = { answer: 10_000, firstPause: 1_000, retries: 4 };

/** The message about an event, or undefined if it is not worth one. */
function message(event: NotifiedEvent, stack: string): string | undefined {
  switch (event.event) {
    case "begin":
      return `${stack}: rollout of ${briefRelease(event.release)} at ${event.weight} %`;
    case "waits":
      return `${stack}: waits at ${event.weight} % (${event.for}): ${event.reason}`;
    case "raised":
      return `${stack}: ${event.weight} % in every cluster`;
    case "raise-waits":
      return `${stack}: not raised to ${event.weight} % yet, will retry: ${event.reason}`;
    case "raise-failed":
      return `${stack}: not raised to ${event.weight} %: ${event.reason}`;
    case "roll-back":
      return `${stack}: rolling back in every cluster: ${event.reason}`;
    case "end":
      return `${stack}: rollout ${event.result}: ${event.reason}`;
    case "guard":
      return event.does === "lower"
        ? `${stack}: the guard of ${event.cluster} takes the canary back to 0 %: ${event.reason}`
        : `${stack}: the guard of ${event.cluster} is cut off at ${event.weight} %: ${event.reason}`;
    default:
      return undefined;
  }
}

/** The alert of an event in Alertmanager's API, or undefined. */
function alert(event: NotifiedEvent, stack: string) {
  return event.event === "roll-back" || (event.event === "guard" && event.does === "lower")
    ? [
        {
          labels: { alertname: "ReleaseRolledBack", severity: "critical", stack },
          annotations: {
            summary: `The release of ${stack} is rolled back`,
            description: event.reason,
          },
        },
      ]
    : undefined;
}

/** The body in each format, or undefined for an event that it says nothing about. */
const BODIES: Readonly<
  Record<Notification["format"], (event: NotifiedEvent, stack: string) => unknown>
> = {
  slack: (event, stack) => {
    const text = message(event, stack);
    return text && { text };
  },
  teams: (event, stack) => {
    const text = message(event, stack);
    return text && adaptiveCard(text);
  },
  alertmanager: alert,
  webhook: (event, stack) => {
    const text = message(event, stack);
    return text && { stack, text, ...event };
  },
};

/** What an incoming webhook of Microsoft Teams (Workflows) takes. */
function adaptiveCard(text: string) {
  return {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body: [{ type: "TextBlock", text, wrap: true }],
        },
      },
    ],
  };
}

/** Headers of a notification, with the signature by which its receiver knows the sender. */
function headersOf({ headers, hmacKey }: Notification, json: string): Record<string, string> {
  if (hmacKey === undefined) return headers;
  const signature = createHmac("sha256", hmacKey).update(json).digest("hex");
  return { ...headers, "x-signature-256": `sha256=${signature}` };
}

/**
 * Notifies all receivers of an event. A receiver that does not answer is retried, with growing pauses.
 *
 * @param times for tests. @default four more tries after 1, 2, 4 and 8 s, each waiting 10 s for its answer
 * @returns why a receiver could not be notified, without the URL, which may be secret
 */
export async function notify(
  notifications: Rollout["notifications"],
  event: NotifiedEvent,
  stack: string,
  times: typeof TIMES = TIMES,
): Promise<readonly string[]> {
  const failures = await Promise.all(
    notifications.map(async (notification, i) => {
      const { url, format } = notification;
      const body = BODIES[format](event, stack);
      if (body === undefined) return [];
      const to = format === "alertmanager" ? `${url.replace(/\/$/, "")}/api/v2/alerts` : url;
      const json = JSON.stringify(body);
      const send = async () => {
        const answer = await post(to, json, times.answer, headersOf(notification, json));
        if (answer.ok) return;
        const refused = new Error(`answers HTTP ${answer.status}`);
        // It would refuse the same again.
        throw NO_ANSWER.has(answer.status) || answer.status === 500
          ? refused
          : new AbortError(refused);
      };
      try {
        await pRetry(send, { retries: times.retries, minTimeout: times.firstPause });
        return [];
      } catch (error) {
        const why = explain(error);
        return [
          `rollout.notifications[${i}] ${why.startsWith("answers HTTP ") ? why : `does not answer: ${why}`}`,
        ];
      }
    }),
  );
  return failures.flat();
}
