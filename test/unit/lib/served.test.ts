import { describe, expect, it } from "vitest";
import { shareOf } from "../../../lib/deployed.ts";
import { servedIn } from "../../../lib/served.ts";
import { deployedChain, ENTRY, FOLLOWER } from "../../helpers/chain.ts";
import { deployedCluster, KEY, split as v } from "../../helpers/deployed.ts";

const shareIn = (cluster: Parameters<typeof servedIn>[0], key: string) => {
  const route = servedIn(cluster).routes.get(key);
  return route && shareOf(route, "v2");
};

describe("what a cluster's clients are served", () => {
  it("is of a follower the share of the entry", () => {
    const cluster = deployedChain("a", v("v1", "v2", 30));
    expect([shareIn(cluster, ENTRY), shareIn(cluster, FOLLOWER)]).toEqual([30, 30]);
  });

  it("is of a follower without a canary the stable version alone", () => {
    const cluster = deployedChain("a", v("v1", "v2", 30), v("v1"));
    expect(servedIn(cluster).routes.get(FOLLOWER)).toMatchObject({ canary: undefined, weight: 0 });
  });

  it("is of a follower that somebody has given a weight what the API server has", () => {
    expect(shareIn(deployedChain("a", v("v1", "v2", 30), v("v1", "v2", 50)), FOLLOWER)).toBe(50);
  });

  it("is without a chain what the API server has", () => {
    expect(shareIn(deployedCluster("a", v("v1", "v2", 10)), KEY)).toBe(10);
  });
});
