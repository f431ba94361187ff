import { describe, expect, it, vi } from "vitest";
import { readDeployed } from "../../../fleet/read-deployed.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import { nextWeight } from "../../../release/next-weight.ts";
import { CHAIN, deployedChain } from "../../helpers/chain.ts";
import { deployedCluster, split as v } from "../../helpers/deployed.ts";
import { settings, type ConfigOptions } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));

const cluster = (letter: string, weight: number) =>
  deployedCluster(`cluster-${letter}`, v("v1", "v2", weight));

function next(deployed: readonly DeployedCluster[], options?: ConfigOptions) {
  vi.mocked(readDeployed).mockResolvedValue(deployed);
  return nextWeight(settings(options), [], "prod");
}

describe("the next weight", () => {
  it.each([
    [0, 10],
    [10, 30],
    // Whatever somebody has set it to.
    [20, 30],
    [30, 100],
    [100, undefined],
  ])("after %i %% is %s", async (now, after) => {
    expect(await next([cluster("a", now), cluster("b", now)])).toEqual({ now, next: after });
  });

  it("is that of the clusters that are not in quarantine", async () => {
    const deployed = [cluster("a", 10), cluster("b", 0)];
    expect(await next(deployed, { quarantine: ["cluster-b"] })).toEqual({ now: 10, next: 30 });
  });

  it("is the one after the entries' in a chain", async () => {
    vi.mocked(readDeployed).mockResolvedValue(
      ["cluster-a", "cluster-b"].map((name) => deployedChain(name, v("v1", "v2", 10))),
    );
    expect(await nextWeight(settings(CHAIN), [], "prod")).toEqual({ now: 10, next: 30 });
  });

  it("is none while the clusters differ", async () => {
    await expect(next([cluster("a", 10), cluster("b", 30)])).rejects.toThrow(
      "No weight may rise while the clusters differ: 10 % in cluster-a, 30 % in cluster-b. Make them the same first: pulumi up --stack prod, or npm run release -- rollback --stack prod --to zero",
    );
  });

  it("is none while a cluster cannot be reached", async () => {
    const away = { name: "cluster-b", unreachable: "no answer in time", routes: new Map() };
    await expect(next([cluster("a", 10), away])).rejects.toThrow(
      "No weight may rise while a cluster cannot be reached:\n - cluster-b: no answer in time",
    );
  });

  it("is none before the service is there", async () => {
    await expect(next([cluster("a", 0), deployedCluster("cluster-b", undefined)])).rejects.toThrow(
      "cluster-b does not have user/user-service yet: run pulumi up first",
    );
  });
});
