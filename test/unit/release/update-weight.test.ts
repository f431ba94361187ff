import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canariesOf } from "../../../fleet/canary-weights.ts";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import type { Digest } from "../../../preview/digest.ts";
import { previewStep } from "../../helpers/preview-step.ts";
import { MAY_HEAL } from "../../../lib/may-heal.ts";
import { MayHeal, StackLocked, TakenBack } from "../../../release/try-again.ts";
import { UpdateFailure } from "../../../release/update-failure.ts";
import {
  lowerToZero,
  raiseTo,
  type Lowering,
  type WayDown,
} from "../../../release/update-weight.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../helpers/fake-api-server.ts";

/** A stack that notes what is done to it. */
function stack(
  preview: () => Promise<Digest>,
  up: () => Promise<void> = () => Promise.resolve(),
  inForce = (weight: number) => weight,
) {
  const done: string[] = [];
  return {
    done,
    name: "prod",
    setWeight: (weight: number) => {
      done.push(`config ${weight}`);
      return Promise.resolve();
    },
    previewAt: preview,
    up: (message: string) => {
      done.push(`up ${message}`);
      return up();
    },
    upAt: async (weight: number, message: string) => {
      done.push(`up at ${weight}: ${message}`);
      await up();
      return inForce(weight);
    },
  };
}
const print = () => undefined;

describe("raiseTo", () => {
  it("previews and updates, and writes the config file when all clusters have the weight", async () => {
    const fake = stack(() => Promise.resolve(previewStep("update")));
    await raiseTo(fake, 30, print);
    expect(fake.done).toEqual(["up at 30: release: 30 %", "config 30"]);
  });

  it.each(["delete", "replace", "create-replacement"])(
    "refuses a preview with %s, and leaves the config as it was",
    async (op) => {
      const fake = stack(() => Promise.resolve(previewStep(op, "Service")));
      const action = op === "delete" ? "delete" : "replace";
      await expect(raiseTo(fake, 30, print)).rejects.toThrow(
        `The preview of weight 30 would delete or replace resources, so nothing was done:\n - ${action} Service user/user-service in cluster-b`,
      );
      expect(fake.done).toEqual([]);
    },
  );

  it("leaves the config as it was when the update has kept a lower weight, and says what to do", async () => {
    const fake = stack(
      () => Promise.resolve(previewStep("update")),
      () => Promise.resolve(),
      () => 0,
    );
    const raised = raiseTo(fake, 30, print);
    await expect(raised).rejects.toBeInstanceOf(TakenBack);
    await expect(raised).rejects.toThrow(
      "The weight stays 0 % and does not rise to 30 %: somebody has lowered it since the last update, and updates keep that. To raise it all the same: npm run release -- rollout --stack prod --again. Or set weight to 0 in the config first, and run pulumi up --stack prod.",
    );
    expect(fake.done).toEqual(["up at 30: release: 30 %"]);
  });

  it("leaves the config as it was when the update fails, and says why it has", async () => {
    const why = "The weight has risen in no cluster:\n - cluster-b: istiod serves: no, 0 pods";
    const fake = stack(
      () => Promise.resolve(previewStep("update")),
      () => Promise.reject(new Error(why)),
    );
    await expect(raiseTo(fake, 30, print)).rejects.toThrow(why);
    expect(fake.done).toEqual(["up at 30: release: 30 %"]);
  });
});

describe("a rise that fails", () => {
  const failing = (...messages: string[]) => {
    const diagnostics = messages.map((message) => ({ severity: "error", message }));
    return raiseTo(
      stack(
        () => Promise.resolve(previewStep("update")),
        () => Promise.reject(new UpdateFailure(diagnostics, undefined)),
      ),
      30,
      print,
    );
  };
  const told = (end: string) => `The weight has risen in no cluster:\n - cluster-b: …\n${end}`;

  it("may be tried again where the program, or the provider, says that nothing else is wrong", async () => {
    await expect(failing(told(MAY_HEAL))).rejects.toBeInstanceOf(MayHeal);
    await expect(
      failing("configured Kubernetes cluster is unreachable: dial tcp: i/o timeout"),
    ).rejects.toBeInstanceOf(MayHeal);
  });

  it("may not where anything else speaks against it too", async () => {
    await expect(failing(told("Fix the cause."))).rejects.not.toBeInstanceOf(MayHeal);
    await expect(failing(told(MAY_HEAL), "policy violation")).rejects.not.toBeInstanceOf(MayHeal);
    await expect(failing("update failed")).rejects.not.toBeInstanceOf(MayHeal);
  });

  it("may be tried again where the engine has come to nothing, as while its backend is away", async () => {
    await expect(failing()).rejects.toBeInstanceOf(MayHeal);
  });

  it("waits where another update has the lock", async () => {
    const locked = new StackLocked("prod", "created by ann@laptop (pid 7)");
    const fake = stack(
      () => Promise.resolve(previewStep("update")),
      () => Promise.reject(locked),
    );
    await expect(raiseTo(fake, 30, print)).rejects.toBe(locked);
    expect(fake.done).not.toContain("config 30");
  });
});

describe("lowerToZero", () => {
  const route = canaryAt(30);
  let dir: string;
  let a: FakeApiServer;
  let b: FakeApiServer;
  let told: Lowering[];

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "lower-"));
    [a, b] = [await FakeApiServer.start(route), await FakeApiServer.start(route)];
    told = [];
  });
  afterEach(async () => {
    a.stop();
    b.stop();
    await rm(dir, { recursive: true });
  });

  const weights = () => [a.weight(), b.weight()];
  async function lowerAll(
    up: () => Promise<void> = () => Promise.resolve(),
    more: Partial<WayDown> & { config?: () => Promise<void> } = {},
  ) {
    const kubeconfig = path.join(dir, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigText({ "cluster-a": a.url, "cluster-b": b.url }));
    const clusters = ["cluster-a", "cluster-b"].map(
      (name) => new ClusterClient({ name, context: name, kubeconfig, answerWithinMs: 2_000 }),
    );
    const fake = stack(() => Promise.reject(new Error("a cluster is down")), up);
    const { setWeight } = fake;
    fake.setWeight = (weight) => (more.config ? more.config() : setWeight(weight));
    const ended = lowerToZero(fake, "cluster-b: success rate 95 %", {
      clusters,
      find: (cluster) => canariesOf(cluster, [route]),
      confirmWithinMs: 5_000,
      withinMs: 5_000,
      lockEveryMs: 10,
      tell: (event) => told.push(event),
      print,
      ...more,
    });
    return ended.then(() => fake.done);
  }
  const zero = {
    event: "lowered",
    clusters: ["cluster-a", "cluster-b"].map((name) => ({
      name,
      canaries: [{ key: "user/user-service", canary: "v2", before: 30, weight: 0, envoys: 1 }],
    })),
  };

  it("lowers the clusters and the config file before it asks Pulumi, and waits for no preview", async () => {
    let then: number[] = [];
    const done = await lowerAll(() => {
      then = weights();
      return Promise.resolve();
    });
    expect(then).toEqual([0, 0]);
    expect(done).toEqual(["config 0", "up release: rolled back: cluster-b: success rate 95 %"]);
    expect(told).toEqual([zero]);
  });

  it("is done where Pulumi's backend is away, and says that its state is behind", async () => {
    await lowerAll(() => Promise.reject(new Error("error: the backend is away")));
    expect(weights()).toEqual([0, 0]);
    expect(told).toEqual([
      zero,
      {
        event: "not-followed",
        reason:
          "Pulumi's state of stack prod does not reflect the rollback yet: error: the backend is away\nOnce that is resolved, run pulumi up --stack prod; its preview shows the difference.",
      },
    ]);
  });

  it("does not run an update with a config file that would raise the weight again", async () => {
    const done = await lowerAll(undefined, { config: () => Promise.reject(new Error("no space")) });
    expect(done).toEqual([]);
    expect(weights()).toEqual([0, 0]);
    expect(told.at(-1)).toMatchObject({
      event: "not-followed",
      reason: expect.stringContaining("still has another weight (no space)") as string,
    });
  });

  it("waits for another update's lock, says once who holds it, and takes back what that one raises", async () => {
    let tries = 0;
    await lowerAll(() => {
      tries += 1;
      if (tries === 4) {
        expect(weights()).toEqual([0, 0]);
        return Promise.resolve();
      }
      a.put(route);
      return Promise.reject(new StackLocked("prod", "created by ann@laptop (pid 7)"));
    });
    expect(tries).toBe(4);
    expect(told).toEqual([zero, { event: "locked", reason: "created by ann@laptop (pid 7)" }]);
    expect(weights()).toEqual([0, 0]);
  });

  it("does not wait for a lock forever, and blames no canary for it", async () => {
    const locked = () => Promise.reject(new StackLocked("prod", "created by ann@laptop (pid 7)"));
    await lowerAll(locked, { lockWithinMs: 50 });
    expect(told.at(-1)).toMatchObject({
      event: "not-followed",
      reason: expect.stringContaining("the stack is locked: created by ann@laptop") as string,
    });
  });

  it("reports nothing that was not read back: an update that succeeds may have written another weight", async () => {
    await lowerAll(() => {
      a.put({ ...route, weight: 10 });
      return Promise.resolve();
    });
    expect(weights()).toEqual([0, 0]);
    await expect(
      lowerAll(
        () => {
          b.put({ ...route, weight: 10 });
          b.refuse = () => "denied";
          return Promise.resolve();
        },
        { withinMs: 100 },
      ),
    ).rejects.toThrow(
      [
        "Current state of the clusters:",
        " - cluster-a: v2 of user/user-service had 0 %, its API server has 0 % now and so have its 1 Envoys",
        " - cluster-b: v2 of user/user-service had 10 %, its API server has 10 % now",
        " - cluster-b is not confirmed at 0 %: denied",
      ].join("\n"),
    );
  });

  it("names an Envoy that does not follow", async () => {
    b.envoy = 30;
    await expect(lowerAll(undefined, { withinMs: 100, confirmWithinMs: 3_000 })).rejects.toThrow(
      /cluster-b is not confirmed at 0 %: .*user\/client serves 30 %/,
    );
  });

  it("keeps the config at 0 when a cluster is left, so that the next update lowers it", async () => {
    b.stop();
    const done: string[] = [];
    const config = () => Promise.resolve(void done.push("config"));
    await expect(lowerAll(undefined, { withinMs: 300, config })).rejects.toThrow(
      /cluster-b is not confirmed at 0 %: .*ECONNREFUSED/,
    );
    expect(a.weight()).toBe(0);
    expect(done).toEqual(["config"]);
  });

  it("leaves another release's canary alone", async () => {
    b.put({ ...route, canary: "v3" });
    await lowerAll();
    expect(weights()).toEqual([0, 30]);
  });
});
