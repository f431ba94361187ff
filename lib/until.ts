import pRetry from "p-retry";

export interface UntilOptions {
  /** How long to keep trying, in milliseconds. */
  readonly timeoutMs: number;
  /** Pause between two attempts, in milliseconds. @default 100 */
  readonly everyMs?: number;
  /** Ends the wait early, for instance because the process that is waited for has died. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until `probe` returns instead of throwing, and gives what it returned. A probe throws as long
 * as the condition does not hold; what it threw last is the cause of the error after `timeoutMs`.
 *
 * @param what the condition, as it completes "timed out after 5 s waiting for …"
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T> | T,
  { timeoutMs, everyMs = 100, signal }: UntilOptions,
): Promise<T> {
  try {
    return await pRetry(async () => probe(), {
      retries: Number.POSITIVE_INFINITY,
      maxRetryTime: timeoutMs,
      minTimeout: everyMs,
      factor: 1,
      ...(signal && { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`timed out after ${timeoutMs / 1000} s waiting for ${what}: ${reason}`, {
      cause: error,
    });
  }
}
