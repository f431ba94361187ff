import { describe, expect, it } from "vitest";

import { confirmWeights } from "../../../lab/demo/measure.ts";
import { expectAnswered } from "../load.ts";
import { clusters } from "../release.ts";
import { story, withRollouts } from "../rollouts.ts";

// At 10 % the canary gets few of the requests, so there are more of them.
const { service, load, deployCanary, release, expectRollback } = withRollouts(
  "rollout",
  [10, 30, 100],
  100,
);

describe("release rollout over three phases", () => {
  it("stops a canary at 10 % that answers 5 % with 500 in cluster-b only, and takes both clusters back", async () => {
    await expectRollback(await release(), "success rate", 95);
  });

  it("stops a canary at 10 % that is slow in cluster-b only, and takes both clusters back", async () => {
    await deployCanary("v2-slow");
    await expectRollback(await release(), "answers in time", 80);
  });

  it("takes a good canary to 100 % in every cluster by itself, without a failed request", async () => {
    await deployCanary("v2");
    const since = Date.now();
    const { events, exitCode } = await release();
    expect(story(events)).toEqual([
      "begin 0",
      ...[10, 30, 100].flatMap((weight) => [`raise ${weight}`, `raised ${weight}`]),
      "end done",
    ]);
    expect(exitCode).toBe(0);
    await confirmWeights(clusters, service, 100);
    expectAnswered(load, since);
  });
});
