import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { onInterrupt } from "../../../release/on-interrupt.ts";

describe("an interrupt", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"])(
    "by %s is heard once; the next one finds nobody",
    async (signal) => {
      const source = new EventEmitter();
      let heard = 0;
      onInterrupt(() => (heard += 1), source);
      source.emit(signal);
      expect(heard).toBe(1);
      await Promise.resolve();
      // Without a listener Node ends the process.
      expect(source.eventNames()).toEqual([]);
    },
  );

  it("is not heard any more afterwards", () => {
    const source = new EventEmitter();
    const leave = onInterrupt(() => {
      throw new Error("too late");
    }, source);
    leave();
    expect(source.emit("SIGINT")).toBe(false);
  });
});
