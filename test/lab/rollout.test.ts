import { describe, expect, it } from "vitest";

import { confirmWeights } from "../../lab/demo/measure.ts";
import { expectAnswered } from "./load.ts";
import { clusters } from "./release.ts";
import { story, withRollouts } from "./rollouts.ts";

// A phase of 30 % needs some 230 requests of the canary in each cluster to pass.
const { service, load, deployCanary, release, expectRollback } = withRollouts(
  "rollout",
  [30, 100],
  40,
);

describe("release rollout", () => {
  it("stops a canary at 30 % that answers 5 % with 500 in cluster-b only, and takes both clusters back", async () => {
    await expectRollback(await release(), "success rate", 95);
  });

  it("does not retry it by itself", async () => {
    const { events, exitCode } = await release();
    expect(story(events)).toEqual(["begin 0", "end rolled-back"]);
    expect(exitCode).toBe(2);
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
