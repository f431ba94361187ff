import { setTimeout as delay } from "node:timers/promises";
import { ApiError } from "./client.ts";

/** How long a write is retried while the server says that it cannot take it yet, in milliseconds. */
export const RETRY_FOR = 90_000;
const RETRY_EVERY = 1_000;
/** The same while there is no answer at all: a server that is gone must not hold up everything else. */
const UNREACHABLE_FOR = 15_000;

/**
 * Why a failed request may succeed if it is sent again, or undefined if it cannot. Webhooks that have
 * just been installed refuse connections until their pod serves; that is the common case.
 */
export function passingReason(error: unknown): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const { status, message, reason } = error;
  if (/failed calling webhook|failed to call webhook/.test(message)) return "webhook not ready";
  if (status === 0) return "API server not reachable";
  if (status === 429) return "API server is busy";
  if (status === 409 && reason === "Conflict" && !/^Apply failed|conflict with/.test(message)) {
    return "object was changed at the same time";
  }
  if (message.includes("because it is being terminated")) return "namespace is being deleted";
  if (message.includes("object is being deleted")) return "object is being deleted";
  if ([500, 502, 503, 504].includes(status)) return "API server is not ready";
  return undefined;
}

export interface RetryOptions {
  readonly forMs: number;
  /** Pause between two attempts, in milliseconds. @default 1000 */
  readonly everyMs?: number;
  readonly signal: AbortSignal;
  /** Told once for each new reason to wait. */
  readonly onWait?: (reason: string) => void;
}

/** Retries a request while its failure is temporary, for a bounded time. */
export async function retrying<T>(
  send: () => Promise<T>,
  { forMs, everyMs = RETRY_EVERY, signal, onWait }: RetryOptions,
): Promise<T> {
  const start = Date.now();
  let told = "";
  for (;;) {
    try {
      return await send();
    } catch (error) {
      const reason = passingReason(error);
      const unanswered = error instanceof ApiError && error.status === 0;
      const end = start + (unanswered ? Math.min(forMs, UNREACHABLE_FOR) : forMs);
      if (reason === undefined || Date.now() >= end || signal.aborted) throw error;
      if (told !== reason) onWait?.(`${reason}, trying again: ${(error as Error).message}`);
      told = reason;
      await delay(everyMs);
    }
  }
}
