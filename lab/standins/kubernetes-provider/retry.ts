import { setTimeout as delay } from "node:timers/promises";
import { ApiError, isNotFound } from "./client.ts";
import { at } from "./values.ts";

/** How long a write is retried that the server puts off, in milliseconds: ten times, as client-go has it. */
export const PUT_OFF_FOR = 10_000;
/** How long a creation waits for its namespace, or its kind, as retry.go of the official provider has it: 1 + 2 + 4 + 8 + 16 s. */
export const MISSING_FOR = 31_000;
/** How long a read is retried that goes on by itself in the official provider, which watches, in milliseconds. */
export const WATCH_FOR = 90_000;
const RETRY_EVERY = 1_000;
/** The same while there is no answer at all: a server that is gone must not hold up everything else. */
const UNREACHABLE_FOR = 15_000;

/** Why a request may succeed if it is sent again, or undefined if it cannot. */
export type PassingReason = (error: unknown) => string | undefined;

/**
 * Of a write only what the server itself puts off: a webhook that does not answer, a namespace that ends and a server
 * that is gone fail it, as in the official provider, whose Creation (await.go) sends again what was not found alone.
 */
export const putOff: PassingReason = (error) => {
  if (!(error instanceof ApiError)) return undefined;
  const { status, body } = error;
  if (status === 429) return "API server is busy";
  return status >= 500 && at(body, "details", "retryAfterSeconds") !== undefined
    ? "API server is not ready"
    : undefined;
};

/** The same of a creation, which also waits for a namespace or a kind that is on its way. */
export const putOffOrMissing: PassingReason = (error) =>
  isNotFound(error) ? "namespace or kind not there" : putOff(error);

/** Of a read whatever passes. */
export const unread: PassingReason = (error) => {
  if (!(error instanceof ApiError)) return undefined;
  if (error.status === 0) return "API server not reachable";
  return error.status === 429 || error.status >= 500 ? "API server is not ready" : undefined;
};

export interface RetryOptions {
  readonly forMs: number;
  /** Which failures pass. */
  readonly passing: PassingReason;
  /** Pause between two attempts, in milliseconds. @default 1000 */
  readonly everyMs?: number;
  readonly signal: AbortSignal;
  /** Told once for each new reason to wait. */
  readonly onWait?: (reason: string) => void;
}

/** Retries a request while its failure is temporary, for a bounded time. */
export async function retrying<T>(
  send: () => Promise<T>,
  { forMs, passing, everyMs = RETRY_EVERY, signal, onWait }: RetryOptions,
): Promise<T> {
  const start = Date.now();
  let told = "";
  for (;;) {
    try {
      return await send();
    } catch (error) {
      const reason = passing(error);
      const unanswered = error instanceof ApiError && error.status === 0;
      const end = start + (unanswered ? Math.min(forMs, UNREACHABLE_FOR) : forMs);
      if (reason === undefined || Date.now() >= end || signal.aborted) throw error;
      if (told !== reason) onWait?.(`${reason}, trying again: ${(error as Error).message}`);
      told = reason;
      await delay(everyMs);
    }
  }
}
