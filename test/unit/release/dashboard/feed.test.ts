import { describe, expect, it, vi } from "vitest";
import { Feed, type Message } from "../../../../release/dashboard/feed.ts";
import type { Parts } from "../../../../release/dashboard/parts.ts";

function reader() {
  const heard: Pick<Message, "parts" | "makes" | "problem">[] = [];
  return {
    heard,
    tell: ({ parts, makes, problem }: Message) => {
      heard.push({ parts, makes, ...(problem !== undefined && { problem }) });
    },
  };
}

describe("a feed", () => {
  it("asks nobody while nobody follows it", () => {
    const make = vi.fn<() => Promise<Parts>>();
    new Feed([{ makes: ["state"], everyMs: 1, make }]);
    expect(make).not.toHaveBeenCalled();
  });

  it("tells why parts could not be made, and who comes later what was made last", async () => {
    const make = vi
      .fn<() => Promise<Parts>>()
      .mockResolvedValueOnce({ state: "30 %" })
      .mockRejectedValue(new Error("no cluster answers"));
    const feed = new Feed([{ makes: ["state"], everyMs: 1, make }]);
    const [first, later] = [reader(), reader()];
    const leave = feed.follow(first.tell);
    await vi.waitFor(() => {
      expect(first.heard.slice(0, 2)).toEqual([
        { parts: { state: "30 %" }, makes: ["state"] },
        { parts: {}, makes: ["state"], problem: "no cluster answers" },
      ]);
    });
    const leaveLater = feed.follow(later.tell);
    expect(later.heard).toEqual([
      { parts: { state: "30 %" }, makes: ["state"], problem: "no cluster answers" },
    ]);
    leave();
    leaveLater();
  });

  it("does not let one slow part hold up the others", async () => {
    const slow = vi.fn<() => Promise<Parts>>().mockReturnValue(new Promise(() => undefined));
    const feed = new Feed([
      { makes: ["state"], everyMs: 1, make: slow },
      { makes: ["gates"], everyMs: 1, make: () => Promise.resolve({ gates: "pass" }) },
    ]);
    const { heard, tell } = reader();
    const leave = feed.follow(tell);
    await vi.waitFor(() => {
      expect(heard.length).toBeGreaterThan(2);
    });
    leave();
    expect(slow).toHaveBeenCalledOnce();
  });
});
