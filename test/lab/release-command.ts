import { execa } from "execa";
import { expect, onTestFinished } from "vitest";

import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import type { RolloutEvent } from "../../release/rollout-event.ts";
import { clusters, type LabRelease } from "./release.ts";
import { target } from "./target.ts";

const settings = labSettings();
const run = execa({ cwd: settings.root, env: target.environment(), reject: false });

/** Runs the release command. */
export async function releaseCommand(...args: readonly string[]) {
  const { stdout, stderr, exitCode } = await run("node", ["release/cli.ts", ...args]);
  return { stdout, stderr, exitCode, text: `${stdout}\n${stderr}` };
}

/** Runs a verb of it on a stack. */
export async function releaseOf(stack: string, verb: string, ...options: readonly string[]) {
  return releaseCommand(verb, "--stack", stack, ...options);
}

/** Expects a rollback to have proved that each cluster routes as was recorded. */
export function expectProof(
  { id }: LabRelease,
  { exitCode, text }: Awaited<ReturnType<typeof releaseOf>>,
): void {
  expect(exitCode, text).toBe(0);
  for (const { name } of clusters) {
    expect(text).toMatch(
      new RegExp(`^${id} in ${name}: as recorded at .* by .+: 4 objects, \\d+ Envoys$`, "m"),
    );
  }
}

/** A `release rollout` that is running; it does not outlive the test that has started it. */
export class RunningRollout {
  /** What it has told so far. */
  readonly events: RolloutEvent[] = [];
  readonly #process;
  #reading: Promise<void>;

  constructor(stack: string, ...options: readonly string[]) {
    const args = ["release/cli.ts", "rollout", "--stack", stack, "--json", ...options];
    this.#process = run("node", args);
    this.#reading = this.#read();
    onTestFinished(async () => {
      this.kill("SIGKILL");
      await this.ended();
    });
  }

  async #read(): Promise<void> {
    for await (const line of this.#process) this.events.push(JSON.parse(line) as RolloutEvent);
  }

  /** All events of a kind. */
  of<Kind extends RolloutEvent["event"]>(kind: Kind) {
    return this.events.filter(
      (event): event is Extract<RolloutEvent, { event: Kind }> => event.event === kind,
    );
  }

  /** Waits until an event of a kind is told for which `holds`. */
  async seen<Kind extends RolloutEvent["event"]>(
    kind: Kind,
    holds: (event: Extract<RolloutEvent, { event: Kind }>) => boolean = () => true,
  ): Promise<Extract<RolloutEvent, { event: Kind }>> {
    return until(
      `the event ${kind}`,
      () => {
        const found = this.of(kind).find(holds);
        if (!found) {
          const last = this.events.findLast(({ event }) => event !== "look") ?? this.events.at(-1);
          throw new Error(`the last one is ${JSON.stringify(last)}`);
        }
        return found;
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
  }

  kill(signal: "SIGINT" | "SIGKILL"): void {
    this.#process.kill(signal);
  }

  /** Waits for its end. */
  async ended(): Promise<{ readonly exitCode: number | undefined; readonly stderr: string }> {
    const [{ exitCode, stderr }] = await Promise.all([this.#process, this.#reading]);
    return { exitCode, stderr };
  }
}
