import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { labPaths } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { until } from "../../../lib/until.ts";
import { Journal } from "../../../release/journal.ts";
import type { TimedEvent } from "../../../release/rollout-event.ts";
import { signal } from "../component.ts";
import { withGuardedRelease } from "../guarded.ts";
import { underLoad } from "../load.ts";
import { quickRollout } from "../quick-rollout.ts";
import { releaseCommand, releaseOf, RunningRollout } from "../release-command.ts";
import { clusters, first, second } from "../release.ts";

const backend = path.join(labPaths(labSettings()).state, ".pulumi");

const own = withGuardedRelease("held", {
  config: {
    phases: [10, 30, 60, 100],
    rollout: { ...quickRollout, bake: "20s", unreachableLimit: "4m", noDataLimit: "10m" },
  },
});
const { stack, service, id, pulumi, namespace, deployed, forget, change, beginAt, untilWell } = own;
const { expectEverywhere, untilWatched, breakCanary } = own;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(own, { inMesh: [first], outside: [first, second] });

const weights = async () => (await deployed()).map(({ weight }) => weight);

/** Holds the lock of the stack as an update on another machine would. @returns lets it go */
async function holdLock(): Promise<() => Promise<void>> {
  const dir = path.join(backend, "locks", "organization", "istio-canary", stack);
  const lock = path.join(dir, "3d0b6c1e-5f0a-4f52-9d53-000000000000.json");
  await mkdir(dir, { recursive: true });
  const holder = { pid: 7, username: "ann", hostname: "elsewhere", timestamp: new Date() };
  await writeFile(lock, JSON.stringify(holder));
  return () => rm(lock, { force: true });
}

/** Takes the state backend away. @returns brings it back */
async function takeBackend(): Promise<() => Promise<void>> {
  const away = `${backend}-away`;
  await rename(backend, away);
  return async () => {
    await rm(backend, { recursive: true, force: true });
    await rename(away, backend);
  };
}

/** Stops a cluster's API server. @returns lets it go on */
async function freeze(): Promise<() => Promise<void>> {
  await signal(second.name, "kube-apiserver", "SIGSTOP");
  return () => signal(second.name, "kube-apiserver", "SIGCONT");
}

/** Kills the guard of the first cluster. */
async function killGuard(): Promise<void> {
  await first.core.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 0 });
}

/** Lets something be so until `during` has ended. */
async function whileIt(
  begins: () => Promise<() => Promise<void>>,
  during: () => Promise<void>,
): Promise<void> {
  const ends = await begins();
  try {
    await during();
  } finally {
    await ends();
  }
}

beforeEach(async () => {
  await untilWell();
  await beginAt(0);
  await forget();
  await untilWatched();
});

afterEach(async () => {
  await untilWell();
});

describe("a good canary", () => {
  it("is held at its weight through every fault, and reaches 100 %", async () => {
    const one = new RunningRollout(stack);
    await one.seen("raised", ({ weight }) => weight === 10);
    one.kill("SIGKILL");
    await one.ended();
    await killGuard();

    const two = new RunningRollout(stack);
    expect(await two.seen("begin")).toMatchObject({ weight: 10, resumed: true });
    expect((await releaseOf(stack, "promote")).exitCode).toBe(0);
    await expectEverywhere(30);

    await two.seen("look", ({ weight }) => weight === 30);
    await whileIt(freeze, async () => {
      const { reason } = await two.seen("waits", ({ for: what }) => what === "unreachable");
      expect(reason).toContain(`${second.name} cannot be reached`);
      await wait(60_000);
      expect((await deployed([first]))[0]?.weight).toBe(30);
    });
    await whileIt(takeBackend, async () => {
      await two.seen("raise-waits", ({ reason }) => reason.includes("no stack named"));
      expect(await weights()).toEqual([30, 30]);
    });
    await two.seen("raised", ({ weight }) => weight === 60);

    await whileIt(holdLock, async () => {
      await two.seen("raise-waits", ({ reason }) => reason.includes("ann@elsewhere"));
      await wait(180_000);
      expect(await weights()).toEqual([60, 60]);
    });
    expect((await two.ended()).exitCode).toBe(0);
    expect(two.of("raised").map(({ weight }) => weight)).toEqual([60, 100]);
    await expectEverywhere(100);
    load.expectNoFailure();
  });
});

describe("release zero", () => {
  it("is respected by the next update in a cluster that was away, too", async () => {
    await change(10);
    await whileIt(freeze, async () => {
      const { exitCode, text } = await releaseCommand("zero", "--service", id);
      expect(exitCode, text).toBe(3);
      expect((await deployed([first]))[0]?.weight).toBe(0);
    });
    await untilWell();
    expect(await weights()).toEqual([0, 10]);
    const { value } = await pulumi.up("held test: after release zero");
    expect(value).toContain("The weight falls to 0 % though the config has 10 %");
    expect(value).toContain(`release zero has taken v2 of ${id} back in ${first.name}`);
    await expectEverywhere(0);
  });
});

/** What happens to those who watch a bad canary, and which clusters answer meanwhile. */
const FAULTS: readonly {
  readonly name: string;
  readonly reachable: typeof clusters;
  /** @returns ends it. @default it does not last */
  readonly begins: (rollout: RunningRollout) => Promise<(() => Promise<void>) | undefined>;
}[] = [
  {
    name: "the terminal is killed",
    reachable: clusters,
    begins: async (rollout) => {
      rollout.kill("SIGKILL");
      await rollout.ended();
      return undefined;
    },
  },
  {
    name: "a guard's pod is killed",
    reachable: clusters,
    begins: async () => {
      await killGuard();
      return undefined;
    },
  },
  { name: "another update holds the lock", reachable: clusters, begins: holdLock },
  { name: "the backend is away", reachable: clusters, begins: takeBackend },
  { name: "an API server is away", reachable: [first], begins: freeze },
  {
    name: "somebody has promoted it",
    reachable: clusters,
    begins: async () => {
      expect((await releaseOf(stack, "promote")).exitCode).toBe(0);
      return undefined;
    },
  },
];

/** How long after the first verdict every reachable cluster has 0 %, in milliseconds. */
const LOWERED_WITHIN_MS = 30_000;

/** When the first verdict against the canary fell since then, of a guard or of the rollout. */
async function firstVerdict(rollout: RunningRollout, since: number): Promise<number> {
  return until(
    "a verdict against the canary",
    async () => {
      const told = rollout.of("roll-back").map((event) => Date.parse((event as TimedEvent).time));
      const { guards } = await new Journal([first], [service.namespace]).read();
      const failed = guards.flatMap((each) => each.failed?.at ?? []);
      const verdicts = [...told, ...failed].filter((at) => at >= since);
      if (verdicts.length === 0) throw new Error("there is none");
      return Math.min(...verdicts);
    },
    { timeoutMs: 180_000, everyMs: 500 },
  );
}

describe("a bad canary", () => {
  it.each(FAULTS)(
    "is at 0 % within 30 s of the verdict in every cluster that answers when $name",
    async ({ reachable, begins }) => {
      const rollout = new RunningRollout(stack, "--again");
      await rollout.seen("raised", ({ weight }) => weight === 10);
      const ends = await begins(rollout);
      try {
        const begin = Date.now();
        await breakCanary();
        const verdict = await firstVerdict(rollout, begin);
        await until(
          `0 % in ${reachable.map(({ name }) => name).join(" and ")}`,
          async () => {
            const now = await deployed(reachable);
            if (now.some(({ weight }) => weight !== 0)) throw new Error(JSON.stringify(now));
          },
          { timeoutMs: LOWERED_WITHIN_MS - (Date.now() - verdict), everyMs: 200 },
        );
      } finally {
        await ends?.();
      }
      await expectEverywhere(0);
      await rollout.ended();
    },
  );
});
