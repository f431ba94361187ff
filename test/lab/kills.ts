import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { ProcessInfo } from "../../lab/clusters/proc.ts";
import { serverImage } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { sameShares } from "../../lib/deployed.ts";
import { until } from "../../lib/until.ts";
import type { Split } from "../../lib/weights.ts";
import { clusters, failure, type LabRelease } from "./release.ts";
import { target } from "./target.ts";
import { killProcesses, processesOf, UPDATE_VARIABLE } from "./update-processes.ts";

const settings = labSettings();

/** The processes of an update by what they do: all of them, or one that leaves the others alone. */
const victims: Readonly<Record<string, (process: ProcessInfo) => boolean>> = {
  all: () => true,
  pulumi: ({ argv }) => path.basename(argv[0] ?? "") === "pulumi",
  program: ({ argv }) => argv.some((arg) => arg.includes("@pulumi/pulumi/cmd/run")),
  // The stand-in, or the official one.
  provider: ({ argv }) =>
    argv.some((arg) => /kubernetes-provider|pulumi-resource-kubernetes/.test(arg)),
};

/** What the update is to do: from where, to which configuration, and how the service is split then. */
interface Operation {
  readonly name: string;
  readonly from: number;
  readonly configure: () => Promise<void>;
  readonly split: Split;
}

/** What is killed in the middle. */
function operationsOf({ pulumi, service: { stable, canary } }: LabRelease): readonly Operation[] {
  return [
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
        await pulumi.setConfig("services[0].stable.image", serverImage(canary));
        await pulumi.setConfig("services[0].canary", undefined);
        await pulumi.setWeight(0);
      },
      split: { stable: canary, weight: 0 },
    },
  ];
}

/**
 * Runs `pulumi up`, and kills what is chosen after so many milliseconds, or as soon as it is there.
 * Gives what was killed: nothing if the update has ended before.
 */
async function killedUp(
  stack: string,
  victim: string,
  afterMs: number,
): Promise<readonly number[]> {
  const update = randomUUID();
  const running = execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", stack], {
    cwd: settings.root,
    env: { ...target.environment(), [UPDATE_VARIABLE]: update },
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
  killProcesses(chosen);
  const { timedOut } = await running;
  expect(timedOut, "pulumi up ends by itself").toBe(false);
  return chosen.map(({ pid }) => pid);
}

/** Runs `pulumi up` until it succeeds; a command in between must be one that the error names. */
async function recover({ pulumi }: LabRelease): Promise<readonly string[]> {
  const commands: string[] = [];
  while (commands.length < 6) {
    commands.push("pulumi up");
    const update = pulumi.up("lab test: recovery");
    const [{ status }] = await Promise.allSettled([update]);
    if (status === "fulfilled") return commands;
    const text = await failure(update);
    // A lock that was being written when the update was killed is empty, of which Pulumi says no more than that.
    if (text.includes("`pulumi cancel`") || text.includes("unexpected end of JSON input")) {
      commands.push("pulumi cancel");
      await pulumi.cancel();
    } else expect(text).toMatch(/pulumi up again/i);
  }
  throw new Error(`not recovered by ${commands.join(", ")}`);
}

/**
 * Tests that kill updates of a release whose config allows `skip-phase`. Each has the next operation and the next
 * victim; when it is killed is left to chance.
 *
 * @param seed repeats the moments of an earlier call
 */
export function describeKills(release: LabRelease, runs: number, seed: number): void {
  const { stack, pulumi, file, route, deployed, change } = release;
  const operations = operationsOf(release);
  const cases = fc
    .sample(fc.noBias(fc.integer({ min: 0, max: 1000 })), { seed, numRuns: runs })
    .flatMap((permille, i) => {
      const operation = operations[i % operations.length];
      const victim = Object.keys(victims)[i % Object.keys(victims).length];
      return operation && victim ? [{ run: i + 1, permille, operation, victim }] : [];
    });

  describe.each(cases)(
    "run $run: an update that $operation.name, with $victim killed at $permille ‰",
    ({ permille, operation, victim }) => {
      it("is recovered by the next command, in all clusters", async ({ onTestFailed }) => {
        // The lock of a run that went wrong must not fail the next ones.
        onTestFailed(() => pulumi.cancel());
        const { seconds } = await change(operation.from);
        const start = await readFile(file, "utf8");
        await operation.configure();
        const killed = await killedUp(stack, victim, (seconds * 1000 * permille) / 1000);
        const between = await deployed();
        const commands = await recover(release);
        console.log(
          `${operation.name}, ${victim} (${killed.length} processes) killed after ${((seconds * permille) / 1000).toFixed(1)} s: ` +
            `${between.map(({ cluster, weight }) => `${cluster} ${weight} %`).join(", ")}; then ${commands.join(", ")}`,
        );
        for (const cluster of clusters) {
          expect(sameShares(await route(cluster), operation.split), cluster.name).toBe(true);
        }
        expect((await pulumi.preview()).value).toEqual([]);
        if (operation.split.canary === undefined) {
          await writeFile(file, start);
          await change(operation.from);
        }
      });
    },
  );
}
