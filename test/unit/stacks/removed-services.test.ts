import { beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import type { FoundRoute } from "../../../lib/routing/routing.ts";
import { removalProblems } from "../../../stacks/removed-services.ts";
import { deployedCluster, KEY, split } from "../../helpers/deployed.ts";
import { settings } from "../../helpers/fixtures.ts";

const to = settings({ weight: 0 });
const clusters = to.clusters.map((each) => new ClusterClient(each));
const CART = "shop/cart";

/** What the last update has configured with a canary. */
const noted = (...keys: readonly string[]) =>
  new Map(
    clusters.map(({ name }) => [
      name,
      [
        {
          "configured-prod": JSON.stringify({
            ...{ format: 1, at: 1, weight: 0 },
            canaries: Object.fromEntries(keys.map((key) => [key, "v2 (image:v2)"])),
          }),
        },
      ],
    ]),
  );
const read = vi.spyOn(clusterRouting, "read");
const routed = (canary?: string): readonly FoundRoute[] => {
  const route = deployedCluster("cluster-a", split("v1", canary, 0)).routes.get(KEY);
  return route ? [{ service: "cart", namespace: "shop", hosts: [], contexts: [], route }] : [];
};

beforeEach(() => {
  read.mockReset().mockResolvedValue(routed("v2"));
});

describe("a service that is taken out of the config", () => {
  it("stays as long as its routes name a canary, at weight 0 too", async () => {
    const [problem, ...others] = await removalProblems(clusters, to, noted(KEY, CART), "prod");
    expect(others).toEqual([]);
    expect(problem).toEqual({
      path: "services",
      rule: "must have shop/cart as long as its routes name the canary v2 (in cluster-a, cluster-b): without them, the canary's pods would get their part of the requests",
      fix: "Add it again without its canary, at weight 0, and run pulumi up. Then take it out.",
    });
    expect(read.mock.calls[0]?.[1]).toEqual([{ service: "cart", namespace: "shop" }]);
  });

  it("may go once they name one version, or are gone", async () => {
    read.mockResolvedValueOnce(routed()).mockResolvedValueOnce([]);
    expect(await removalProblems(clusters, to, noted(CART), "prod")).toEqual([]);
  });

  it("is none of another stack, and nobody asks where none is taken out", async () => {
    expect(await removalProblems(clusters, to, noted(CART), "other")).toEqual([]);
    expect(await removalProblems(clusters, to, noted(KEY), "prod")).toEqual([]);
    expect(read).not.toHaveBeenCalled();
  });
});
