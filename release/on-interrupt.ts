import type { EventEmitter } from "node:events";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Calls `action` at the first Ctrl-C or SIGTERM. At the second one nobody listens any more, so that it
 * ends the process at once.
 *
 * @returns what stops listening
 */
export function onInterrupt(action: () => void, source: EventEmitter = process): () => void {
  const leave = () => {
    for (const signal of SIGNALS) source.off(signal, interrupt);
  };
  const interrupt = () => {
    leave();
    action();
  };
  for (const signal of SIGNALS) source.on(signal, interrupt);
  return leave;
}
