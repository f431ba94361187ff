import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Objection } from "../../../fleet/checks/index.ts";
import { lookAgain, type Objections } from "../../../fleet/checks/look-again.ts";

const WITHIN_MS = 5_000;
const starting: Objection = { line: "4 of 5 pods are available", mayHeal: true };
const old: Objection = { line: "the certificate ends", mayHeal: false };

/** Looks that see these, one after the other, and then always the last. */
function looks(...seen: (readonly Objection[])[]) {
  const take = vi.fn<() => Promise<Objections>>();
  for (const each of seen) {
    take.mockResolvedValueOnce(
      new Map([
        ["cluster-a", []],
        ["cluster-b", each],
      ]),
    );
  }
  take.mockResolvedValue(
    new Map([
      ["cluster-a", []],
      ["cluster-b", seen.at(-1) ?? []],
    ]),
  );
  return take;
}

/** What was seen at last, and how long that took, in milliseconds. */
async function outcome(look: () => Promise<Objections>) {
  const begin = Date.now();
  const result = lookAgain(look, WITHIN_MS).then((seen) => ({
    seen: seen.get("cluster-b"),
    took: Date.now() - begin,
  }));
  await vi.advanceTimersByTimeAsync(60_000);
  return result;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("lookAgain", () => {
  it("takes one look where all is well", async () => {
    const look = looks([]);
    expect(await outcome(look)).toEqual({ seen: [], took: 0 });
    expect(look).toHaveBeenCalledTimes(1);
  });

  it("looks until what may heal has healed", async () => {
    const look = looks([starting], [starting], []);
    expect(await outcome(look)).toEqual({ seen: [], took: 2_000 });
    expect(look).toHaveBeenCalledTimes(3);
  });

  it("answers at once when something cannot heal, with all that was seen", async () => {
    const look = looks([starting, old], []);
    expect(await outcome(look)).toEqual({ seen: [starting, old], took: 0 });
    const later = looks([starting], [old], []);
    expect(await outcome(later)).toEqual({ seen: [old], took: 1_000 });
  });

  it("gives up when its time is over, with what it has seen last", async () => {
    const last = { ...starting, line: "3 of 5 pods are available" };
    const { seen, took } = await outcome(looks([starting], [last]));
    expect(seen).toEqual([last]);
    expect(took).toBe(WITHIN_MS);
  });

  it("begins no look after its time", async () => {
    const slow = vi.fn(async (): Promise<Objections> => {
      await new Promise((resolve) => setTimeout(resolve, WITHIN_MS + 1));
      return new Map([["cluster-b", [starting]]]);
    });
    expect(await outcome(slow)).toEqual({ seen: [starting], took: WITHIN_MS + 1 });
    expect(slow).toHaveBeenCalledTimes(1);
  });

  it("does not take a look that fails for one that has seen nothing", async () => {
    const failing = vi.fn<() => Promise<Objections>>().mockRejectedValue(new Error("broken"));
    const result = expect(lookAgain(failing, WITHIN_MS)).rejects.toThrow("broken");
    await vi.advanceTimersByTimeAsync(60_000);
    await result;
  });
});
