import { randomUUID } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { processInfos, type ProcessInfo } from "../../../lab/clusters/proc.ts";
import { labEnvironment, labStack } from "../../../lab/environment.ts";
import { userService } from "../../../lab/mesh/user-service.ts";
import { labSettings } from "../../../lab/settings.ts";
import { sameShares } from "../../../lib/deployed.ts";
import { until } from "../../../lib/until.ts";
import type { Split } from "../../../lib/weights.ts";
import { labPulumi } from "../lab.ts";
import { underLoad } from "../load.ts";
import {
  change,
  clusters,
  deployed,
  expectMended,
  failure,
  first,
  route,
  second,
} from "../release.ts";

const runs = Number(process.env["KILL_RUNS"] ?? 4);
const seed = Number(process.env["KILL_SEED"] ?? 31);

const settings = labSettings();
const pulumi = labPulumi();
const configFile = path.join(settings.root, `Pulumi.${labStack}.yaml`);
const load = underLoad({ inMesh: [first, second], outside: [first, second] });
let config: string;

/** The processes of an update by what they do: all of them, or one that leaves the others alone. */
const victims: Readonly<Record<string, (process: ProcessInfo) => boolean>> = {
  all: () => true,
  pulumi: ({ argv }) => path.basename(argv[0] ?? "") === "pulumi",
  program: ({ argv }) => argv.some((arg) => arg.includes("@pulumi/pulumi/cmd/run")),
  provider: ({ argv }) => argv.some((arg) => arg.includes("kubernetes-provider")),
};

/** What the update is to do: from where, to which configuration, and how the service is split then. */
interface Operation {
  readonly name: string;
  readonly from: number;
  readonly configure: () => Promise<void>;
  readonly split: Split;
}

const { stable, canary } = userService;
const operations: readonly Operation[] = [
  {
    name: "raises",
    from: 0,
    configure: () => pulumi.setWeight(10),
    split: { stable, canary, weight: 10 },
  },
  {
    name: "lowers",
    from: 10,
    configure: () => pulumi.setWeight(0),
    split: { stable, canary, weight: 0 },
  },
  {
    name: "promotes",
    from: 100,
    configure: async () => {
      await pulumi.setConfig("services[0].stable.version", canary);
      await pulumi.setConfig("services[0].stable.image", `docker.io/lab/user-service:${canary}`);
      await pulumi.setConfig("services[0].canary", undefined);
      await pulumi.setWeight(0);
    },
    split: { stable: canary, weight: 0 },
  },
];

/** Every run has the next operation and the next victim; when it is killed is left to chance. */
const campaign = fc
  .sample(fc.noBias(fc.integer({ min: 0, max: 1000 })), { seed, numRuns: runs })
  .flatMap((permille, i) => {
    const operation = operations[i % operations.length];
    const victim = Object.keys(victims)[i % Object.keys(victims).length];
    return operation && victim ? [{ run: i + 1, permille, operation, victim }] : [];
  });

/** Every process that has inherited a value of this variable. */
async function processesOf(update: string): Promise<readonly ProcessInfo[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const own = await Promise.all(
    pids.map(async (pid) => {
      // Some processes of the machine have just ended, or are nobody's to look at.
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.includes(`LAB_TEST_UPDATE=${update}`) ? [pid] : [];
    }),
  );
  return processInfos(own.flat());
}

/**
 * Runs `pulumi up`, and kills what is chosen after so many milliseconds, or as soon as it is there.
 * Gives what was killed: nothing if the update has ended before.
 */
async function killedUp(victim: string, afterMs: number): Promise<readonly number[]> {
  const update = randomUUID();
  const running = execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", labStack], {
    cwd: settings.root,
    env: { ...labEnvironment(settings), LAB_TEST_UPDATE: update },
    stdin: "ignore",
    reject: false,
    timeout: 120_000,
  });
  let ended = false;
  void running.finally(() => {
    ended = true;
  });
  // The moment is what is tested: nothing is waited for but, where it is too early, the victim.
  await setTimeout(afterMs);
  const chosen = await until(
    `${victim} to run`,
    async () => {
      const found = (await processesOf(update)).filter(victims[victim] ?? (() => true));
      if (found.length === 0 && !ended) throw new Error("it has not begun");
      return found;
    },
    { timeoutMs: 60_000, everyMs: 20 },
  );
  for (const { pid } of chosen) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  const { timedOut } = await running;
  expect(timedOut, "pulumi up ends by itself").toBe(false);
  return chosen.map(({ pid }) => pid);
}

/** Runs `pulumi up` until it succeeds; a command in between must be one that the error names. */
async function recover(): Promise<readonly string[]> {
  const commands: string[] = [];
  while (commands.length < 6) {
    commands.push("pulumi up");
    const update = pulumi.up("lab test: recovery");
    const [{ status }] = await Promise.allSettled([update]);
    if (status === "fulfilled") return commands;
    const text = await failure(update);
    if (text.includes("`pulumi cancel`")) {
      commands.push("pulumi cancel");
      await pulumi.cancel();
    } else expect(text).toMatch(/pulumi up again/i);
  }
  throw new Error(`not recovered by ${commands.join(", ")}`);
}

beforeAll(async () => {
  config = await readFile(configFile, "utf8");
  console.log(`kill campaign: ${runs} runs, replay them with KILL_RUNS=${runs} KILL_SEED=${seed}`);
  await pulumi.setConfig("allow[0]", "skip-phase");
});

afterAll(async () => {
  await writeFile(configFile, config);
  if ((await route(first)).stable === canary) {
    await pulumi.setConfig("allow[0]", "skip-phase");
    await change(100);
    await writeFile(configFile, config);
  }
  await expectMended(0);
});

describe.each(campaign)(
  "run $run: an update that $operation.name, with $victim killed at $permille ‰",
  ({ permille, operation, victim }) => {
    it("is recovered by the next command, in all clusters", async ({ onTestFailed }) => {
      // The lock of a run that went wrong must not fail the next ones.
      onTestFailed(() => pulumi.cancel());
      const { seconds } = await change(operation.from);
      const start = await readFile(configFile, "utf8");
      await operation.configure();
      const killed = await killedUp(victim, (seconds * 1000 * permille) / 1000);
      const between = await deployed();
      const commands = await recover();
      console.log(
        `${operation.name}, ${victim} (${killed.length} processes) killed after ${((seconds * permille) / 1000).toFixed(1)} s: ` +
          `${between.map(({ cluster, weight }) => `${cluster} ${weight} %`).join(", ")}; then ${commands.join(", ")}`,
      );
      for (const cluster of clusters) {
        expect(sameShares(await route(cluster), operation.split), cluster.name).toBe(true);
      }
      expect((await pulumi.preview()).value).toEqual([]);
      if (operation.split.canary === undefined) {
        await writeFile(configFile, start);
        await change(operation.from);
      }
    });
  },
);

describe("every client", () => {
  it("was answered all the time", () => {
    load.expectNoFailure();
  });
});
