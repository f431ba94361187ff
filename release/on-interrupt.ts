import type { EventEmitter } from "node:events";

/** What ends a command: Ctrl-C, a system that stops it, a terminal that is closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls `action` at the first Ctrl-C, SIGTERM or SIGHUP. At the second one nobody listens any more, so that it
 * ends the process at once.
 *
 * @returns what stops listening
 */
export function onInterrupt(action: () => void, source: EventEmitter = process): () => void {
  const leave = () => {
    for (const signal of SIGNALS) source.off(signal, interrupt);
  };
  const interrupt = () => {
    // Only after this signal: other listeners of it must see that it is heard, or they end the process.
    queueMicrotask(leave);
    action();
  };
  for (const signal of SIGNALS) source.on(signal, interrupt);
  return leave;
}
