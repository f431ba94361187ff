import { ApiException, type KubernetesObject } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { writeNotes } from "../../../fleet/notes.ts";
import { Journal, type GuardNote } from "../../../release/journal.ts";
import { phase } from "../../../release/planner.ts";
import { timed } from "../../../release/rollout-event.ts";

const T0 = Date.UTC(2026, 0, 1);
const pause = { at: T0, paused: true, by: "ann@laptop" };

/** A cluster with an API server that keeps ConfigMaps by server-side apply, or is unreachable. */
class FakeCluster {
  readonly data: Record<string, string> = {};
  readonly managers: string[] = [];
  away = false;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  #answer<T>(value: () => T): Promise<T> {
    return this.away ? Promise.reject(new Error("no answer")) : Promise.resolve().then(value);
  }
  core = {
    readNamespacedConfigMap: (): Promise<{ data: Record<string, string> }> =>
      this.#answer(() => {
        if (Object.keys(this.data).length === 0) throw new ApiException(404, "none", {}, {});
        return { data: this.data };
      }),
  };
  objects = {
    patch: (object: KubernetesObject, _: unknown, __: unknown, manager: string) =>
      this.#answer(() => {
        this.managers.push(manager);
        Object.assign(this.data, (object as { data: Record<string, string> }).data);
      }),
  };
}

function journal() {
  const fakes = [new FakeCluster("cluster-a"), new FakeCluster("cluster-b")] as const;
  return { fakes, of: new Journal(fakes as unknown as readonly ClusterClient[], ["user", "user"]) };
}

describe("the journal", () => {
  it("remembers nothing at first, and then what was written, in every cluster", async () => {
    const { fakes, of } = journal();
    expect(await of.read()).toMatchObject({ progress: undefined, pause: undefined });
    const progress = { ...phase("v2", 10, T0), rollingBack: "cluster-b: 95 %" };
    expect(await of.writeProgress(progress, [], T0)).toEqual(new Map());
    for (const { data } of fakes) expect(Object.keys(data)).toEqual(["progress", "events"]);
    expect((await of.read()).progress).toEqual(progress);
    // A program that knows only older formats raises nothing.
    expect(JSON.parse(fakes[0].data["progress"] ?? "")).toMatchObject({ format: 1 });
  });

  it("remembers what has happened together with how far it is, or alone", async () => {
    const { fakes, of } = journal();
    const begin = timed({ event: "begin", release: "v2", weight: 0, resumed: false }, T0);
    const end = timed({ event: "end", result: "stopped", reason: "no" }, T0 + 1);
    expect((await of.read()).events).toEqual([]);
    await of.writeProgress(undefined, [begin, end], T0);
    expect(Object.keys(fakes[1].data)).toEqual(["events"]);
    expect((await of.read()).events).toEqual([begin, end]);
    await of.writeProgress(phase("v2", 10, T0), [begin], T0 + 1);
    expect(await of.read()).toMatchObject({ progress: { weight: 10 }, events: [begin] });
  });

  it("keeps a note of each cluster's guard, which no other guard overwrites", async () => {
    const { fakes, of } = journal();
    const note: GuardNote = {
      format: 1,
      at: T0,
      cluster: "cluster-a",
      startedAt: T0,
      release: "v2",
      weight: 10,
      since: T0,
      failures: { consecutive: 0, total: 0 },
      failed: { reason: "80 %", weight: 10, since: T0, at: T0 },
      contactAt: T0,
      does: "lower",
      says: "80 %",
    };
    const newer = { ...note, at: T0 + 1 };
    const other = { ...note, cluster: "cluster-b" };
    expect(await of.writeGuard(note)).toEqual(new Map());
    fakes[0].away = true;
    await of.writeGuard(newer);
    await of.writeGuard(other);
    fakes[0].away = false;
    expect((await of.read()).guards).toEqual([newer, other]);
    expect(fakes[1].managers).toEqual([
      "istio-canary-rollout-guard-cluster-a",
      "istio-canary-rollout-guard-cluster-a",
      "istio-canary-rollout-guard-cluster-b",
    ]);
  });

  it("lets a pause and a rollout write without each other", async () => {
    const { fakes, of } = journal();
    await of.writeProgress(phase("v2", 10, T0), [], T0);
    await of.writePause(pause);
    await of.writeProgress(phase("v2", 30, T0), [], T0 + 1);
    expect(await of.read()).toMatchObject({ progress: { weight: 30 }, pause });
    expect(new Set(fakes[0].managers)).toEqual(
      new Set(["istio-canary-rollout-progress", "istio-canary-rollout-pause"]),
    );
  });

  it("tells who looked last, whatever else is written", async () => {
    const { of } = journal();
    await of.writePause(pause);
    expect((await of.read()).watch).toBeUndefined();
    await of.writeWatch({ at: T0, by: "ann on laptop (pid 7)" });
    await of.writeWatch({ at: T0 + 1, by: "ann on laptop (pid 7)" });
    await of.writeProgress(phase("v2", 10, T0), [], T0 + 2);
    expect(await of.read()).toMatchObject({
      watch: { at: T0 + 1, by: "ann on laptop (pid 7)" },
      pause,
      progress: { weight: 10 },
    });
  });

  it("writes for a stack with a long name as a field manager that API servers take", async () => {
    const { fakes } = journal();
    const cluster = fakes[0] as unknown as ClusterClient;
    const owners = ["one", "two"].map((end) => `configured-${"s".repeat(97)}-${end}`);
    for (const owner of owners) await writeNotes(cluster, "user", owner, {});
    const [one, two] = fakes[0].managers;
    expect([one?.length, two?.length]).toEqual([128, 128]);
    expect(one).not.toBe(two);
  });

  it("lets an update try a canary again that the last one has tried, and keeps the rest of its note", async () => {
    const { fakes, of } = journal();
    const note = { format: 1, at: T0, weight: 10, canaries: { "user/user-service": "v2" } };
    fakes[0].data["configured-prod"] = JSON.stringify({ ...note, retries: true });
    fakes[1].data["configured-prod"] = JSON.stringify(note);
    expect(await of.retryAgain("prod", ["user"])).toEqual(new Map());
    expect(JSON.parse(fakes[0].data["configured-prod"])).toEqual(note);
    // As the updates' field manager, which has the same.
    expect(fakes[0].managers).toEqual(["istio-canary-rollout-configured-prod"]);
    expect(fakes[1].managers).toEqual([]);
    fakes[1].away = true;
    expect(await of.retryAgain("prod", ["user"])).toEqual(new Map([["cluster-b", "no answer"]]));
  });

  it("does so by the stack's full name, and in namespaces where no service has a canary", async () => {
    const { fakes, of } = journal();
    const note = { format: 1, at: T0, weight: 10, canaries: { "user/user-service": "v2" } };
    const read: string[] = [];
    for (const fake of fakes) {
      fake.data["configured-prod"] = JSON.stringify({ ...note, retries: true });
      vi.spyOn(fake.core, "readNamespacedConfigMap").mockImplementation(
        (...[at]: readonly unknown[]) => {
          read.push(`${fake.name} ${(at as { readonly namespace: string }).namespace}`);
          return Promise.resolve({ data: fake.data });
        },
      );
    }
    await of.retryAgain("acme/istio-canary/prod", ["shop", "user", "user"]);
    expect(read).toEqual(["cluster-a shop", "cluster-a user", "cluster-b shop", "cluster-b user"]);
    for (const { data } of fakes) expect(JSON.parse(data["configured-prod"] ?? "")).toEqual(note);
  });

  it("goes by the newest when a cluster was away", async () => {
    const { fakes, of } = journal();
    await of.writeProgress(phase("v2", 10, T0), [], T0);
    fakes[0].away = true;
    const failed = await of.writeProgress(phase("v2", 30, T0 + 1), [], T0 + 1);
    expect([...failed.keys()]).toEqual(["cluster-a"]);
    fakes[0].away = false;
    expect((await of.read()).progress?.weight).toBe(30);
  });

  it("reads on while one cluster is unreachable, and fails when all are", async () => {
    const { fakes, of } = journal();
    await of.writePause(pause);
    fakes[1].away = true;
    expect((await of.read()).pause).toEqual(pause);
    fakes[0].away = true;
    await expect(of.read()).rejects.toThrow("No cluster can be read:\n - cluster-a: no answer");
  });

  it("takes what it cannot understand for nothing", async () => {
    const { fakes, of } = journal();
    fakes[0].data["progress"] = "{";
    fakes[1].data["pause"] = '{"paused": "yes"}';
    fakes[1].data["events"] = '{"at": 1, "events": [{"event": "exploded"}]}';
    expect(await of.read()).toMatchObject({ progress: undefined, pause: undefined, events: [] });
  });
});
