import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Barrier } from "../../../fleet/barrier.ts";
import { runChecks } from "../../../fleet/checks/index.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { checkLimits } from "../../helpers/check-limits.ts";

vi.mock(import("../../../fleet/checks/index.ts"), async (original) => ({
  ...(await original()),
  runChecks: vi.fn<typeof runChecks>(),
}));

const limits = { ...checkLimits, checkWithinMs: 5_000 };
const clusters = ["cluster-a", "cluster-b"].map((name) => ({ name }) as ClusterClient);

describe("checks that begin ahead", () => {
  let barrier: Barrier;
  /** Looks at both clusters that were begun. */
  const looks = () => vi.mocked(runChecks).mock.calls.length / clusters.length;
  const objection = { line: "istiod serves: no", mayHeal: false };

  beforeEach(() => {
    vi.useFakeTimers();
    vi.mocked(runChecks).mockReset().mockResolvedValue([]);
    barrier = new Barrier(clusters, [], limits);
    barrier.lookAhead();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("count when all was well and nothing has changed since", async () => {
    expect([...(await barrier.check()).values()].flat()).toEqual([]);
    expect(looks()).toBe(1);
  });

  it("are repeated when something has changed, also while they look", async () => {
    barrier.outdate();
    await barrier.check();
    expect(looks()).toBe(2);

    barrier.lookAhead();
    const checked = barrier.check();
    barrier.outdate();
    await checked;
    expect(looks()).toBe(4);
  });

  it("are repeated when they are too old", async () => {
    await vi.advanceTimersByTimeAsync(15_001);
    await barrier.check();
    expect(looks()).toBe(2);
  });

  it("are repeated when there was an objection, which may be gone by now", async () => {
    vi.mocked(runChecks).mockReset().mockResolvedValueOnce([objection]).mockResolvedValue([]);
    barrier.lookAhead();
    expect([...(await barrier.check()).values()].flat()).toEqual([]);
  });

  it("are repeated when they could not be done", async () => {
    vi.mocked(runChecks)
      .mockReset()
      .mockRejectedValueOnce(new Error("broken"))
      .mockResolvedValue([]);
    barrier.lookAhead();
    expect([...(await barrier.check()).values()].flat()).toEqual([]);
  });
});
