import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { ApiException, V1MicroTime, type V1Lease } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { Lease } from "../../../release/lease.ts";
import { LeaseHeld, MayHeal } from "../../../release/try-again.ts";

/** A cluster with an API server that keeps one Lease, with its optimistic locking. */
class FakeCluster {
  readonly name: string;
  readonly clockAheadMs = 5_000;
  lease: V1Lease | undefined;
  failure: Error | undefined;
  #version = 0;
  constructor(name: string) {
    this.name = name;
  }
  async #answer<T>(value: () => T): Promise<T> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
    return value();
  }
  #write(body: V1Lease) {
    this.#version += 1;
    const resourceVersion = String(this.#version);
    // Times are text in an answer, which the client leaves as it is.
    this.lease = JSON.parse(JSON.stringify(body)) as V1Lease;
    this.lease.metadata = Object.assign(this.lease.metadata ?? {}, { resourceVersion });
  }
  coordination = {
    readNamespacedLease: () =>
      this.#answer(() => {
        if (!this.lease) throw new ApiException(404, "none", {}, {});
        return this.lease;
      }),
    createNamespacedLease: ({ body }: { body: V1Lease }) =>
      this.#answer(() => {
        if (this.lease) throw new ApiException(409, "there is one", {}, {});
        this.#write(body);
      }),
    replaceNamespacedLease: ({ body }: { body: V1Lease }) =>
      this.#answer(() => {
        if (body.metadata?.resourceVersion !== this.lease?.metadata?.resourceVersion) {
          throw new ApiException(409, "changed", {}, {});
        }
        this.#write(body);
      }),
    deleteNamespacedLease: () => this.#answer(() => (this.lease = undefined)),
  };
}

let fakes: readonly [FakeCluster, FakeCluster];
const leases: Lease[] = [];
function leaseOf(holder: string, clusters: readonly FakeCluster[] = fakes): Lease {
  const made = new Lease(
    clusters as unknown as readonly ClusterClient[],
    ["user", "shop"],
    "org/Prod",
    holder,
  );
  leases.push(made);
  return made;
}
const holders = () => fakes.map(({ lease }) => lease?.spec?.holderIdentity);

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  fakes = [new FakeCluster("cluster-a"), new FakeCluster("cluster-b")];
});
afterEach(async () => {
  await Promise.all(leases.splice(0).map((lease) => lease.release()));
  vi.useRealTimers();
});

describe("a release's lease", () => {
  it("is taken again while it is being renewed", async () => {
    const lease = leaseOf("ann");
    await lease.take();
    vi.advanceTimersByTime(20_000);
    await expect(lease.take()).resolves.toBeUndefined();
    expect(holders()).toEqual(["ann", "ann"]);
  });

  it("is one command's in every cluster; another one is told who has it and since when", async () => {
    await leaseOf("ann").take();
    expect(holders()).toEqual(["ann", "ann"]);
    expect(fakes[0].lease?.metadata).toMatchObject({
      namespace: "shop",
      name: "istio-canary-rollout-prod",
    });
    const second = leaseOf("bob").take();
    await expect(second).rejects.toBeInstanceOf(LeaseHeld);
    await expect(second).rejects.toThrow(
      "ann has been raising the weight of this release since 2026-01-01T00:00:05.000Z (lease in cluster-a).",
    );
    expect(holders()).toEqual(["ann", "ann"]);
  });

  it("is kept as long as its holder lives, and may be taken by it again", async () => {
    const lease = leaseOf("ann");
    await lease.take();
    await vi.advanceTimersByTimeAsync(300_000);
    await lease.take();
    await expect(leaseOf("bob").take()).rejects.toThrow("since 2026-01-01T00:00:05.000Z");
  });

  it("runs out when its holder dies", async () => {
    const held = new V1MicroTime(Date.now() + fakes[0].clockAheadMs);
    const spec = { holderIdentity: "ann", acquireTime: held, renewTime: held };
    for (const fake of fakes) fake.lease = { metadata: { resourceVersion: "0" }, spec };
    vi.setSystemTime(Date.now() + 59_000);
    await expect(leaseOf("bob").take()).rejects.toBeInstanceOf(LeaseHeld);
    vi.setSystemTime(Date.now() + 2_000);
    await leaseOf("bob").take();
    expect(holders()).toEqual(["bob", "bob"]);
  });

  describe("of another process", () => {
    const ann = `ann on ${hostname()} (pid 7)`;
    /** Which process of this machine, as a lease says it, without number and name of its own. */
    let space: string;
    /** The number of a process that is no more. */
    let dead: number;
    beforeEach(async () => {
      vi.useRealTimers();
      const child = spawn(process.execPath, ["-e", ""]);
      await once(child, "exit");
      dead = child.pid ?? 0;
      await leaseOf(ann).take();
      const own = fakes[0].lease?.metadata?.annotations?.["istio-canary/process"];
      [, space = ""] = /^\d+ \S+ (.+)$/.exec(own ?? "") ?? [];
      await leases.splice(0)[0]?.release();
    });

    /** Has it held by somebody. @param by as its annotation says */
    function heldBy(by: string | undefined): void {
      const renewTime = new V1MicroTime(Date.now());
      const annotations = by === undefined ? {} : { "istio-canary/process": by };
      const metadata = { resourceVersion: "0", annotations };
      for (const fake of fakes) {
        fake.lease = { metadata, spec: { holderIdentity: ann, acquireTime: renewTime, renewTime } };
      }
    }

    it("is taken at once if that is no more, and ran on this machine", async () => {
      heldBy(`${dead} 1b4e28ba ${space}`);
      await leaseOf("bob").take();
      expect(holders()).toEqual(["bob", "bob"]);
    });

    it.each([
      ["that lives", () => `${process.pid} 1b4e28ba ${space}`],
      ["of another machine, or an earlier boot", () => `${dead} 1b4e28ba 0${space}`],
      ["of another container", () => `${dead} 1b4e28ba ${space.replace("[", "[0")}`],
      ["of which no more is known", () => `${dead} 1b4e28ba`],
      ["that says nothing of itself", () => undefined],
    ])("is not taken from one %s", async (_, by) => {
      heldBy(by());
      await expect(leaseOf("bob").take()).rejects.toThrow(ann);
      expect(holders()).toEqual([ann, ann]);
    });

    it("is not taken for its own by one with the same user, host and number", async () => {
      heldBy(`${process.pid} 1b4e28ba ${space}`);
      await expect(leaseOf(ann).take()).rejects.toBeInstanceOf(LeaseHeld);
      await leaseOf(ann).release();
      expect(holders()).toEqual([ann, ann]);
    });
  });

  it("is no one's afterwards", async () => {
    const lease = leaseOf("ann");
    await lease.take();
    await leaseOf("bob").release();
    expect(holders()).toEqual(["ann", "ann"]);
    await lease.release();
    expect(holders()).toEqual([undefined, undefined]);
  });

  it("is not half held by one who does not get it everywhere", async () => {
    await leaseOf("ann", [fakes[1]]).take();
    await expect(leaseOf("bob").take()).rejects.toThrow("(lease in cluster-b)");
    expect(holders()).toEqual([undefined, "ann"]);
  });

  it("waits for a cluster that does not answer, and not for one that forbids it", async () => {
    const late = Object.assign(new Error("no answer in time"), { name: "TimeoutError" });
    fakes[1].failure = late;
    await expect(leaseOf("ann").take()).rejects.toBeInstanceOf(MayHeal);
    // A fault of this program is not taken for silence.
    fakes[1].failure = new TypeError("renewTime.getTime is not a function");
    await expect(leaseOf("ann").take()).rejects.not.toBeInstanceOf(MayHeal);
    expect(holders()).toEqual([undefined, undefined]);
    fakes[1].failure = new ApiException(403, "", { message: "leases is forbidden" }, {});
    const forbidden = leaseOf("ann").take();
    await expect(forbidden).rejects.not.toBeInstanceOf(MayHeal);
    await expect(forbidden).rejects.toThrow(
      "cluster-b: the lease shop/istio-canary-rollout-prod cannot be acquired: leases is forbidden",
    );
  });
});
