import { describe, expect, it } from "vitest";
import type { Look, RolloutPlan, Progress, Verdict } from "../../../release/planner.ts";
import { rollout, type RolloutEffects } from "../../../release/rollout.ts";
import type { RolloutEvent } from "../../../release/rollout-event.ts";
import { MayHeal, StackLocked, TakenBack } from "../../../release/try-again.ts";
import { rolloutPlan } from "../../helpers/rollout-plan.ts";

const MINUTE = 60_000;
const plan = rolloutPlan({
  bakeMs: 2 * MINUTE,
  noDataLimitMs: 5 * MINUTE,
  unreachableLimitMs: 3 * MINUTE,
});
const pass: Verdict = { outcome: "pass", blind: false, text: "all well" };
const bad: Verdict = { outcome: "fail", blind: false, text: "cluster-b: success rate 95 %" };

/** Two clusters, a config, a clock and a memory that a test can disturb. */
class World implements RolloutEffects {
  readonly clusters = [
    { name: "cluster-a", weight: 0, unreachable: undefined as string | undefined },
    { name: "cluster-b", weight: 0, unreachable: undefined as string | undefined },
  ];
  readonly events: RolloutEvent[] = [];
  readonly raised: number[] = [];
  time = Date.UTC(2026, 0, 1);
  remembered: Progress | undefined;
  /** What the gates say at a weight. */
  gates: (weight: number) => readonly Verdict[] = () => [pass];
  answers: readonly Verdict[] = [pass];
  /** Happens before each look. */
  before: () => void = () => undefined;
  raiseError: string | undefined;
  forgetful = false;
  /** Why a guard takes the release back. */
  guards: (progress: Progress | undefined) => string | undefined = () => undefined;

  look(progress?: Progress): Promise<Look> {
    this.before();
    const guards = this.guards(progress);
    const weight = Math.max(...this.clusters.map((cluster) => cluster.weight));
    return Promise.resolve({
      release: "user/user-service v2",
      clusters: this.clusters.map(({ name, weight: own, unreachable }) =>
        unreachable === undefined ? { name, weights: [own] } : { name, weights: [], unreachable },
      ),
      verdicts: weight === 0 ? [] : this.gates(weight),
      ...(guards !== undefined && { guards }),
    });
  }
  ask = () => Promise.resolve(this.answers);
  raise(weight: number) {
    if (this.raiseError !== undefined) return Promise.reject(new Error(this.raiseError));
    this.raised.push(weight);
    for (const cluster of this.clusters) cluster.weight = weight;
    return Promise.resolve();
  }
  rollBack() {
    const away = this.clusters.filter(({ unreachable }) => unreachable !== undefined);
    for (const cluster of this.clusters) if (!away.includes(cluster)) cluster.weight = 0;
    return away.length === 0
      ? Promise.resolve()
      : Promise.reject(new Error(`${away.map(({ name }) => name).join()} keeps its weight`));
  }
  recall = () => Promise.resolve(this.remembered);
  remember(progress: Progress): Promise<ReadonlyMap<string, string>> {
    if (this.forgetful) return Promise.resolve(new Map([["cluster-a", "no answer"]]));
    this.remembered = progress;
    return Promise.resolve(new Map());
  }
  tell = (event: RolloutEvent) => void this.events.push(event);
  now = () => this.time;
  pause() {
    this.time += MINUTE;
    return Promise.resolve();
  }
  get weights() {
    return this.clusters.map(({ weight }) => weight);
  }
  names() {
    return this.events.map(({ event }) => event).filter((event) => event !== "look");
  }
}

/** Whether each begin went on with what was there before. */
const resumed = ({ events }: World) =>
  events.flatMap((each) => (each.event === "begin" ? [each.resumed] : []));
const run = (world: World, of: RolloutPlan = plan, again = false) =>
  rollout(of, world, new AbortController().signal, again);

describe("a rollout", () => {
  it("takes a good canary to 100 % everywhere, and says what it does", async () => {
    const world = new World();
    expect(await run(world)).toEqual({ result: "done", reason: "all phases have passed" });
    expect(world.raised).toEqual([10, 30, 100]);
    expect(world.weights).toEqual([100, 100]);
    expect(world.names()).toEqual([
      "begin",
      ...["raise", "raised", "raise", "raised", "raise", "raised"],
      "end",
    ]);
    expect(world.remembered).toMatchObject({ weight: 100, end: { result: "done" } });
  });

  it("is rolled back when a guard takes the release back, which has lowered the clusters before", async () => {
    const world = new World();
    const reason = "the guard of cluster-b says: slow";
    world.before = () => {
      if (world.weights.some((weight) => weight === 10)) {
        world.guards = () => reason;
        for (const cluster of world.clusters) cluster.weight = 0;
      }
    };
    expect(await run(world)).toEqual({ result: "rolled-back", reason });
    expect(world.remembered).toMatchObject({ weight: 0, end: { result: "rolled-back", reason } });
  });

  it("does not begin a canary anew that a guard has taken back, unless it is told to", async () => {
    const failedAt = Date.UTC(2026, 0, 1) - 1;
    const taken = (world: World) => {
      world.guards = (progress) =>
        progress && progress.since > failedAt && !progress.end ? undefined : "slow";
    };
    const world = new World();
    taken(world);
    expect(await run(world)).toEqual({ result: "rolled-back", reason: "slow" });
    expect(world.raised).toEqual([]);
    expect(await run(world, plan, true)).toMatchObject({ result: "done" });
    expect(world.raised).toEqual([10, 30, 100]);
  });

  it("tells while it waits which weight comes next, except one that a person raises to", async () => {
    const world = new World();
    const expected: (readonly [weight: number, next: number])[] = [];
    await rollout(
      { ...plan, phases: [10, 30, 60, 100], approval: [60], trialMs: 2 * MINUTE },
      Object.assign(world, {
        expect: (next: number) => {
          expected.push([Math.max(...world.weights), next]);
        },
        pause: () => {
          world.time += MINUTE;
          // The person.
          for (const cluster of world.clusters) if (cluster.weight === 30) cluster.weight = 60;
          return Promise.resolve();
        },
      }),
      new AbortController().signal,
    );
    const once = [...new Set(expected.map((each) => each.join(" → ")))];
    expect(once).toEqual(["0 → 10", "10 → 30", "60 → 100"]);
  });

  it("takes a bad one back in all clusters, and says where it is bad", async () => {
    const world = new World();
    world.gates = (weight) => (weight === 30 ? [pass, bad] : [pass]);
    expect(await run(world)).toEqual({ result: "rolled-back", reason: bad.text });
    expect(world.raised).toEqual([10, 30]);
    expect(world.weights).toEqual([0, 0]);
    expect(world.names().slice(-3)).toEqual(["roll-back", "rolled-back", "end"]);
  });

  it("does not try it again by itself, but does when it is told to", async () => {
    const world = new World();
    world.gates = () => [bad];
    await run(world);
    expect(await run(world)).toEqual({ result: "rolled-back", reason: bad.text });
    expect(world.raised).toEqual([10]);
    world.gates = () => [pass];
    expect((await run(world, plan, true)).result).toBe("done");
    expect(resumed(world)).toEqual([false, true, false]);
  });

  it("is another one when the weight is 0 again after the last one was done", async () => {
    const world = new World();
    await run(world);
    for (const cluster of world.clusters) cluster.weight = 0;
    expect((await run(world)).result).toBe("done");
    expect(resumed(world)).toEqual([false, false]);
  });

  it("tells once of a wait that needs somebody, and of none that passes by itself", async () => {
    const world = new World();
    let pauses = 0;
    world.pause = () => {
      world.time += MINUTE;
      pauses += 1;
      if (pauses === 8) for (const cluster of world.clusters) cluster.weight = 30;
      return Promise.resolve();
    };
    expect((await run(world, { ...plan, approval: [30] })).result).toBe("done");
    const waits = world.events.filter(({ event }) => event === "waits");
    expect(waits).toEqual([
      {
        event: "waits",
        weight: 10,
        for: "approval",
        reason: "30 % needs approval: npm run release -- promote --stack prod",
      },
    ]);
  });

  it("goes on when a cluster that was cut off is back in time", async () => {
    const world = new World();
    const [, second] = world.clusters;
    let looks = 0;
    world.before = () => {
      if (second?.weight !== 10) return;
      looks += 1;
      second.unreachable = looks > 1 && looks < 4 ? "no answer in time" : undefined;
    };
    expect((await run(world)).result).toBe("done");
    const waits = world.events.flatMap((each) =>
      each.event === "look" && each.reason.startsWith("unreachable: ") ? [each.reason] : [],
    );
    expect(waits).toEqual(
      Array(2).fill("unreachable: cluster-b cannot be reached: no answer in time"),
    );
  });

  it("takes all others back when a cluster is cut off for too long, and names it", async () => {
    const world = new World();
    const [, second] = world.clusters;
    world.before = () => {
      if (second?.weight === 10) second.unreachable = "no answer in time";
    };
    const { result, reason } = await run(world);
    expect(result).toBe("rollback-incomplete");
    expect(reason).toBe(
      "cluster-b cannot be reached: no answer in time\ncluster-b keeps its weight",
    );
    expect(world.weights).toEqual([0, 10]);
    // When it is back, the same command finishes what was left.
    world.before = () => undefined;
    if (second) second.unreachable = undefined;
    expect((await run(world)).result).toBe("rolled-back");
    expect(world.weights).toEqual([0, 0]);
  });

  it("stops where the update has kept a weight that somebody has lowered, and takes nothing back", async () => {
    const world = new World();
    world.raise = (weight) =>
      weight === 30
        ? Promise.reject(new TakenBack("prod", 30, "10"))
        : World.prototype.raise.call(world, weight);
    const { result, reason } = await run(world);
    expect(result).toBe("stopped");
    expect(reason).toContain("The weight stays 10 % and does not rise to 30 %");
    expect(world.weights).toEqual([10, 10]);
    expect(world.names().slice(-3)).toEqual(["raise", "raise-failed", "end"]);
  });

  it("takes back what it has raised when the next phase cannot begin", async () => {
    const world = new World();
    world.before = () => {
      if (world.weights[0] === 10) world.raiseError = "istiod does not serve";
    };
    expect(await run(world)).toEqual({ result: "rolled-back", reason: "istiod does not serve" });
    expect(world.weights).toEqual([0, 0]);
  });

  it("tries the next phase again when failures are allowed", async () => {
    const world = new World();
    const lenient = { ...plan, maxFailures: { consecutive: 2, total: 2 } };
    world.before = () => {
      world.raiseError =
        world.weights[0] === 10 && world.time < Date.UTC(2026, 0, 1, 0, 3) ? "not now" : undefined;
    };
    expect((await run(world, lenient)).result).toBe("done");
    expect(world.names()).toContain("raise-failed");
  });

  it("waits for another update, says once who holds the lock, and counts no failure", async () => {
    const world = new World();
    let tries = 0;
    world.raise = (weight) => {
      tries += 1;
      // Longer than what does not answer would have.
      return tries <= 10
        ? Promise.reject(new StackLocked("prod", "created by ann@laptop"))
        : World.prototype.raise.call(world, weight);
    };
    expect((await run(world)).result).toBe("done");
    const waits = world.events.filter(({ event }) => event === "raise-waits");
    expect(waits).toHaveLength(1);
    expect(JSON.stringify(waits)).toContain("created by ann@laptop");
    expect(world.names()).not.toContain("raise-failed");
  });

  it("rolls a canary back that fails while its next phase waits for another update", async () => {
    const world = new World();
    world.raise = (weight) => {
      if (weight === 10) return World.prototype.raise.call(world, weight);
      world.gates = () => [bad];
      return Promise.reject(new StackLocked("prod", "created by ann@laptop"));
    };
    expect(await run(world)).toEqual({ result: "rolled-back", reason: bad.text });
  });

  it("tries a rise again that may heal, as long as there may be no data", async () => {
    const world = new World();
    let until = world.time + plan.noDataLimitMs - MINUTE;
    world.raise = (weight) =>
      world.time < until
        ? Promise.reject(new MayHeal("cluster-b: no answer in time"))
        : World.prototype.raise.call(world, weight);
    expect((await run(world)).result).toBe("done");
    const other = new World();
    until = Number.POSITIVE_INFINITY;
    other.raise = (weight) =>
      weight === 10
        ? World.prototype.raise.call(other, weight)
        : Promise.reject(new MayHeal("cluster-b: no answer in time"));
    expect(await run(other)).toEqual({
      result: "rolled-back",
      reason: "cluster-b: no answer in time",
    });
    expect(other.weights).toEqual([0, 0]);
  });

  it("rolls back although no cluster remembers", async () => {
    const world = new World();
    world.forgetful = true;
    world.gates = () => [bad];
    expect((await run(world)).result).toBe("rolled-back");
    expect(world.events).toContainEqual({
      event: "not-remembered",
      cluster: "cluster-a",
      reason: "no answer",
    });
  });

  it("asks, and goes on only after a yes", async () => {
    const world = new World();
    const asking = { ...plan, asks: { before: true, confirm: true } };
    const no: Verdict = { outcome: "fail", blind: false, text: "smoke-test says no (HTTP 409)" };
    world.answers = [no];
    expect(await run(world, asking)).toEqual({ result: "stopped", reason: no.text });
    world.answers = [pass];
    expect((await run(world, asking)).result).toBe("done");
  });
});

describe("a rollout that is interrupted", () => {
  it("leaves all clusters as they are, and goes on in the same phase with what is left of it", async () => {
    const world = new World();
    const stop = new AbortController();
    let looks = 0;
    world.before = () => {
      looks += 1;
      if (looks === 3) stop.abort();
    };
    const interrupted = await rollout(plan, world, stop.signal);
    expect(interrupted.result).toBe("interrupted");
    expect(world.weights).toEqual([10, 10]);
    const since = world.remembered?.since ?? 0;
    world.before = () => undefined;
    world.raise = (weight) => {
      if (weight === 30) expect(world.time - since).toBe(plan.bakeMs);
      return World.prototype.raise.call(world, weight);
    };
    expect((await run(world)).result).toBe("done");
    expect(world.raised).toEqual([10, 30, 100]);
    expect(resumed(world)).toEqual([false, true]);
  });

  it("says that nobody knows what an interrupted rise has left", async () => {
    const world = new World();
    const stop = new AbortController();
    world.raise = () => {
      stop.abort();
      return Promise.reject(new Error("interrupted"));
    };
    expect(await rollout(plan, world, stop.signal)).toEqual({
      result: "interrupted",
      reason:
        "raising the weight from 0 % was interrupted or has failed: release status says what the clusters serve, run the same command to continue",
    });
  });

  it("finishes a rollback that Ctrl-C has stopped in Pulumi", async () => {
    const world = new World();
    const stop = new AbortController();
    world.gates = () => [bad];
    let tries = 0;
    world.rollBack = () => {
      tries += 1;
      if (tries > 1) return World.prototype.rollBack.call(world);
      stop.abort();
      return Promise.reject(new Error("update canceled"));
    };
    const { result } = await rollout(plan, world, stop.signal);
    expect(result).toBe("rolled-back");
    expect(world.weights).toEqual([0, 0]);
  });

  it("tries a rollback once that fails by itself", async () => {
    const world = new World();
    world.gates = () => [bad];
    let tries = 0;
    world.rollBack = () => {
      tries += 1;
      return Promise.reject(new Error("cluster-b keeps its weight"));
    };
    expect((await run(world)).result).toBe("rollback-incomplete");
    expect(tries).toBe(1);
  });

  it("bakes again when it has died between raising and remembering", async () => {
    const world = new World();
    const stop = new AbortController();
    world.raise = (weight) => {
      for (const cluster of world.clusters) cluster.weight = weight;
      stop.abort();
      return Promise.reject(new Error("killed"));
    };
    await rollout(plan, world, stop.signal);
    expect(world.weights).toEqual([10, 10]);
    const after = new World();
    Object.assign(after, { remembered: world.remembered });
    for (const cluster of after.clusters) cluster.weight = 10;
    const begun = after.time;
    after.raise = (weight) => {
      expect(after.time - begun).toBeGreaterThanOrEqual(plan.bakeMs);
      return World.prototype.raise.call(after, weight);
    };
    expect((await run(after)).result).toBe("done");
    expect(after.raised).toEqual([30, 100]);
  });

  it("finishes a rollback that has died half-way, and says again why", async () => {
    const world = new World();
    const [first, second] = world.clusters;
    world.gates = () => [bad];
    world.rollBack = () => {
      if (first) first.weight = 0;
      return Promise.reject(new Error("killed"));
    };
    await run(world);
    expect(world.weights).toEqual([0, 10]);
    if (second) second.weight = 10;
    world.gates = () => [pass];
    world.rollBack = () => World.prototype.rollBack.call(world);
    expect(await run(world)).toEqual({ result: "rolled-back", reason: bad.text });
    expect(world.weights).toEqual([0, 0]);
  });

  it("starts over after somebody else has lowered the weight", async () => {
    const world = new World();
    world.remembered = {
      release: "user/user-service v2",
      weight: 30,
      since: world.time,
      failures: { consecutive: 0, total: 0 },
      begun: true,
    };
    expect((await run(world)).result).toBe("done");
    expect(world.raised).toEqual([10, 30, 100]);
  });
});
