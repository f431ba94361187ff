import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { confirmWeights } from "../../lab/demo/measure.ts";
import { serverImage } from "../../lab/service-config.ts";
import { expectAnswered } from "./load.ts";
import { releaseOf } from "./release-command.ts";
import { clusters, withOwnRelease } from "./release.ts";

/**
 * Requests a second of the client in each cluster. A phase of 30 % needs some 230 requests of the canary in
 * each cluster to pass.
 */
const RATE = 40;

const { stack, service, id, pulumi } = withOwnRelease("rollout", {
  config: { phases: [30, 100] },
});
let load: LoadClient[] = [];

interface Event {
  readonly event: string;
  readonly weight?: number;
  readonly reason?: string;
  readonly result?: string;
}

/** Runs `release rollout` to its end, and gives its events and exit code. */
async function release(...options: readonly string[]) {
  const { stdout, exitCode, stderr } = await releaseOf(stack, "rollout", "--json", ...options);
  const events = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
  return { events, exitCode, stderr };
}

/** What has happened between the looks, with the reason where something went wrong on the way. */
function story(events: readonly Event[]): string[] {
  return events
    .filter(({ event }) => event !== "look")
    .map(({ event, weight, result, reason }) =>
      [
        event,
        weight ?? result,
        ...(["raise-failed", "not-remembered"].includes(event) ? [reason] : []),
      ].join(" "),
    );
}

/** Makes an image the canary's, in every cluster, at weight 0. */
async function deployCanary(tag: string): Promise<void> {
  await pulumi.setConfig("services[0].canary.image", serverImage(tag));
  await pulumi.up(`rollout tests: ${tag}`);
}

beforeAll(async () => {
  await deployCanary("v2-failing");
  load = await Promise.all(
    clusters.map((cluster) => loadInMesh(cluster, `http://${service.host}/`, RATE)),
  );
});

afterAll(async () => {
  await Promise.all(load.map((client) => client.stop()));
});

describe("release rollout", () => {
  /**
   * Expects a rollout that was stopped at 30 % by a gate in cluster-b, and what the gate says to be so: the share
   * of good answers that the image gives lies between its bounds, and these not above its limit. How far
   * the measured one is off the true one is chance.
   */
  async function expectRollback(
    { events, exitCode, stderr }: Awaited<ReturnType<typeof release>>,
    gate: string,
    good: number,
  ): Promise<void> {
    expect(stderr).toBe("");
    expect(story(events)).toEqual([
      "begin 0",
      ...["raise 30", "raised 30"],
      ...["roll-back ", "rolled-back "],
      "end rolled-back",
    ]);
    const reason = events.at(-1)?.reason ?? "";
    const figures = new RegExp(
      `^cluster-b: (.+) of v2 of ${id}: [\\d.]+ % \\(surely ([\\d.]+) … ([\\d.]+) %\\) of \\d+ requests, at least ([\\d.]+) %$`,
    ).exec(reason);
    expect(figures?.[1], reason).toBe(gate);
    const [low = NaN, high = NaN, limit = NaN] = figures?.slice(2).map(Number) ?? [];
    expect(good, reason).toBeGreaterThanOrEqual(low);
    expect(good, reason).toBeLessThanOrEqual(high);
    expect(high, reason).toBeLessThanOrEqual(limit);
    expect(exitCode).toBe(2);
    await confirmWeights(clusters, service, 0);
  }

  it("stops a canary at 30 % that answers 5 % with 500 in cluster-b only, and takes both clusters back", async () => {
    await expectRollback(await release(), "success rate", 95);
  });

  it("does not try it once more by itself", async () => {
    const { events, exitCode } = await release();
    expect(story(events)).toEqual(["begin 0", "end rolled-back"]);
    expect(exitCode).toBe(2);
  });

  it("stops a canary at 30 % that is slow in cluster-b only, and takes both clusters back", async () => {
    await deployCanary("v2-slow");
    await expectRollback(await release(), "answers in time", 80);
  });

  it("takes a good canary to 100 % in every cluster by itself, without a failed request", async () => {
    await deployCanary("v2");
    const since = Date.now();
    const { events, exitCode, stderr } = await release();
    expect(stderr).toBe("");
    expect(story(events)).toEqual([
      "begin 0",
      ...["raise 30", "raised 30"],
      ...["raise 100", "raised 100"],
      "end done",
    ]);
    expect(exitCode).toBe(0);
    await confirmWeights(clusters, service, 100);
    expectAnswered(load, since);
  });
});
