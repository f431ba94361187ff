import { afterAll, beforeAll, expect } from "vitest";

import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { serverImage } from "../../lab/service-config.ts";
import type { TestRelease } from "./own-stack.ts";
import { releaseOf } from "./release-command.ts";
import { clusters, withOwnRelease } from "./release.ts";

/** What `release rollout --json` tells, as far as the tests read it. */
interface Event {
  readonly event: string;
  readonly weight?: number;
  readonly reason?: string;
  readonly for?: string;
  readonly result?: string;
}

/** A rollout that has ended. */
interface Ended {
  readonly events: readonly Event[];
  readonly exitCode: number | undefined;
  readonly stderr: string;
}

/**
 * What has happened between the looks, with the reason where something went wrong on the way. That a phase waits for
 * an answer, as on a busy machine, is left out: it says nothing of the canary.
 */
export function story(events: readonly Event[]): string[] {
  const isNoAnswer = ({ event, reason = "", for: waits = "" }: Event) =>
    (event === "raise-waits" && !/lease|lock/i.test(reason)) ||
    (event === "waits" && ["unreachable", "no-data"].includes(waits));
  return events
    .filter((each) => each.event !== "look" && !isNoAnswer(each))
    .map(({ event, weight, result, reason }) =>
      [
        event,
        weight ?? result,
        ...(["raise-failed", "raise-waits", "not-remembered"].includes(event) ? [reason] : []),
      ].join(" "),
    );
}

/**
 * A release of the test file's own, under load from the mesh in each cluster.
 *
 * @param name of the release, unique among the test files
 * @param rate requests a second of the client in each cluster
 */
export function withRollouts(name: TestRelease, phases: readonly number[], rate: number) {
  const { stack, service, id, pulumi } = withOwnRelease(name, { config: { phases } });
  const [first = 100] = phases;
  const load: LoadClient[] = [];

  /** Makes an image the canary's, in every cluster, at weight 0. */
  const deployCanary = async (tag: string): Promise<void> => {
    await pulumi.setConfig("services[0].canary.image", serverImage(tag));
    await pulumi.up(`rollout tests: ${tag}`);
  };

  /** Runs `release rollout` to its end. */
  const release = async (): Promise<Ended> => {
    const { stdout, exitCode, stderr } = await releaseOf(stack, "rollout", "--json");
    const events = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Event);
    return { events, exitCode, stderr };
  };

  /**
   * Expects a rollout that was stopped at the first phase by a gate in cluster-b, and what the gate says to be so:
   * the share of good answers that the image gives lies between its bounds, and these not above its limit. How
   * far the measured one is off the true one is chance.
   */
  const expectRollback = async (
    { events, exitCode, stderr }: Ended,
    gate: string,
    good: number,
  ): Promise<void> => {
    expect(stderr).toBe("");
    expect(story(events)).toEqual([
      "begin 0",
      ...[`raise ${first}`, `raised ${first}`],
      ...["roll-back ", "lowered ", "rolled-back "],
      "end rolled-back",
    ]);
    const reason = events.at(-1)?.reason ?? "";
    const figures = new RegExp(
      `^cluster-b: (.+) of v2 of ${id}: [\\d.]+ % \\(confidence interval ([\\d.]+) … ([\\d.]+) %\\) of \\d+ requests, at least ([\\d.]+) %$`,
    ).exec(reason);
    expect(figures?.[1], reason).toBe(gate);
    const [low = NaN, high = NaN, limit = NaN] = figures?.slice(2).map(Number) ?? [];
    expect(good, reason).toBeGreaterThanOrEqual(low);
    expect(good, reason).toBeLessThanOrEqual(high);
    expect(high, reason).toBeLessThanOrEqual(limit);
    expect(exitCode).toBe(2);
    await confirmWeights(clusters, service, 0);
  };

  beforeAll(async () => {
    await deployCanary("v2-failing");
    load.push(
      ...(await Promise.all(
        clusters.map((cluster) => loadInMesh(cluster, `http://${service.host}/`, rate)),
      )),
    );
  });
  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
  });
  return { service, load, deployCanary, release, expectRollback };
}
