import { explain } from "../fleet/explain.ts";
import type { Rollout } from "../stacks/schema.ts";
import { briefRelease } from "./release-settings.ts";
import type { RolloutEvent } from "./rollout-event.ts";
import { post } from "./webhooks.ts";

/** Longest wait for one receiver, in milliseconds; nothing else waits for it. */
const TIMEOUT_MS = 10_000;

/** The message about an event, or undefined if it is not worth one. */
function message(event: RolloutEvent, stack: string): string | undefined {
  switch (event.event) {
    case "begin":
      return `${stack}: rollout of ${briefRelease(event.release)} at ${event.weight} %`;
    case "raised":
      return `${stack}: ${event.weight} % in every cluster`;
    case "roll-back":
      return `${stack}: rolling back in every cluster: ${event.reason}`;
    case "end":
      return `${stack}: rollout ${event.result}: ${event.reason}`;
    default:
      return undefined;
  }
}

/** The alert of an event in Alertmanager's API, or undefined. */
function alert(event: RolloutEvent, stack: string) {
  return event.event === "roll-back"
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

/**
 * Notifies all receivers of an event.
 *
 * @returns why a receiver could not be notified, without the URL, which may be secret
 */
export async function notify(
  notifications: Rollout["notifications"],
  event: RolloutEvent,
  stack: string,
): Promise<readonly string[]> {
  const failures = await Promise.all(
    notifications.map(async ({ url, format }, i) => {
      const text = message(event, stack);
      const body = format === "slack" ? text && { text } : alert(event, stack);
      if (!body) return [];
      const to = format === "slack" ? url : `${url.replace(/\/$/, "")}/api/v2/alerts`;
      try {
        const { ok, status } = await post(to, body, TIMEOUT_MS);
        return ok ? [] : [`rollout.notifications[${i}] answers HTTP ${status}`];
      } catch (error) {
        return [`rollout.notifications[${i}] does not answer: ${explain(error)}`];
      }
    }),
  );
  return failures.flat();
}
