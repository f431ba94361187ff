import { describe, expect, it } from "vitest";
import { heldWeight, type WeightSources } from "../../../release/held-weight.ts";
import { phase } from "../../../release/planner.ts";

const RELEASE = "user/user-service v2";
const running = phase(RELEASE, 30, 0);
const at = (a: number, b = a): WeightSources["clusters"] => [
  { name: "cluster-a", weights: [a] },
  { name: "cluster-b", weights: [b] },
];
const ended = (result: "done" | "rolled-back" | "stopped") => ({
  ...running,
  end: { result, reason: "why" },
});

function held(more: Partial<WeightSources>) {
  return heldWeight({
    stack: "prod",
    config: 0,
    before: { weight: 0 },
    release: RELEASE,
    progress: running,
    clusters: at(30),
    ...more,
  });
}

describe("the weight of an update", () => {
  it.each<[string, Partial<WeightSources>, number, string]>([
    ["that a rollout holds", {}, 30, "30 % instead of 0 %: a rollout holds it"],
    [
      "with which a rollout has ended",
      { progress: ended("done"), clusters: at(100) },
      100,
      "100 % instead of 0 %: a rollout has ended with it",
    ],
    [
      "of a canary that was taken back",
      { config: 10, before: { weight: 10 }, progress: ended("rolled-back"), clusters: at(0) },
      0,
      "0 % instead of 10 %: a rollout took the canary back",
    ],
    [
      "of a canary that is being taken back",
      {
        config: 10,
        before: { weight: 10 },
        progress: { ...running, rollingBack: "bad" },
        clusters: at(0),
      },
      0,
      "0 % instead of 10 %: a rollout took the canary back",
    ],
    [
      "when nobody asks for a commit",
      { before: undefined } as unknown as Partial<WeightSources>,
      30,
      "30 % instead of 0 %: a rollout holds it",
    ],
  ])("is the one %s", (_, more, weight, says) => {
    expect(held(more)).toEqual({ weight, says });
  });

  it.each<[string, Partial<WeightSources>, string]>([
    ["the change sets it", { before: { weight: 30 } }, "0 %: the change sets it, from 30 %"],
    [
      "the config did not have it",
      { config: 10, before: { weight: undefined } },
      "10 %: the config did not have it before",
    ],
    [
      "no rollout has begun",
      { progress: undefined },
      "0 %: no rollout of these canaries has begun",
    ],
    [
      "the rollout was of other canaries",
      { release: "user/user-service v3" },
      "0 %: no rollout of these canaries has begun",
    ],
    [
      "the rollout was stopped",
      { progress: ended("stopped") },
      "0 %: the last rollout has changed nothing",
    ],
    ["the clusters have the same", { clusters: at(0) }, "0 %: the clusters have the same"],
    [
      "all clusters are in quarantine",
      { clusters: [{ name: "cluster-a", weights: [] }] },
      "0 %: the clusters have the same",
    ],
    [
      "somebody lowered it",
      { config: 30, before: { weight: 30 }, clusters: at(10) },
      "30 %: somebody lowered it to 10 % in the clusters, and the update decides what becomes of it",
    ],
    [
      "it is lower than what is left of a canary that was taken back",
      { progress: ended("rolled-back"), clusters: at(10) },
      "0 %: the canary was taken back",
    ],
  ])("is the config's where %s", (_, more, says) => {
    const config = more.config ?? 0;
    expect(held(more)).toEqual({ weight: config, says });
  });

  it("is not known while the clusters differ", () => {
    expect(() => held({ clusters: at(30, 10) })).toThrow(
      "A rollout of these canaries has begun, and the clusters differ: 30 % in cluster-a, 10 % in cluster-b. Let it end, or make them the same: npm run release -- rollback --stack prod --to zero.",
    );
  });

  it("that the change sets needs no cluster to agree", () => {
    expect(held({ before: { weight: 30 }, clusters: at(30, 10) }).weight).toBe(0);
  });
});
