import type * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import { toZero } from "../../../fleet/to-zero.ts";
import type { DeployedRoute } from "../../../lib/deployed.ts";
import type { FoundRoute } from "../../../lib/routing/routing.ts";
import { LoweredSince } from "../../../stacks/lowered-since.ts";
import { planRelease, type PlannedRoute } from "../../../stacks/release-plan.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/to-zero.ts"), () => ({ toZero: vi.fn<typeof toZero>() }));

const KEY = "user/user-service";
const read = vi.spyOn(clusterRouting, "read");

type Live = Pick<DeployedRoute, "generation"> & Partial<DeployedRoute>;

/** What the API servers have from now on. */
function live(route: Live): void {
  const found: FoundRoute = {
    service: "user-service",
    namespace: "user",
    hosts: [],
    contexts: [],
    route: { stable: "v1", canary: "v2", weight: 0, replaces: undefined, rules: [], ...route },
  };
  read.mockResolvedValue([found]);
}

/** The plan from a route that is deployed to a weight, in one of the clusters. */
function planned(deployed: Live, weight: number): PlannedRoute {
  const route: DeployedRoute = {
    stable: "v1",
    canary: "v2",
    weight: 0,
    replaces: undefined,
    rules: [],
    images: {},
    ...deployed,
  };
  const { routes } = planRelease(
    settings({ weight }),
    ["cluster-a", "cluster-b"].map((name) => ({
      name,
      unreachable: undefined,
      routes: new Map([[KEY, route]]),
    })),
  );
  const found = routes.find(({ cluster }) => cluster === "cluster-b");
  if (!found) throw new Error("nothing is planned");
  return found;
}

function around(route: PlannedRoute) {
  const lowered = new LoweredSince(settings({ weight: 10 }));
  const hooks = lowered.hooks(route);
  const run = async (kind: "beforeUpdate" | "afterUpdate") => {
    for (const hook of hooks?.[kind] ?? []) {
      if (typeof hook !== "function") throw new Error("a hook is expected to be a function");
      await hook({ urn: "", id: "", name: "", type: "" } satisfies pulumi.ResourceHookArgs);
    }
  };
  return {
    before: () => run("beforeUpdate"),
    after: () => run("afterUpdate"),
    hasFailed: () => lowered.hasFailed,
  };
}

beforeEach(() => {
  read.mockReset();
  vi.mocked(toZero).mockReset().mockResolvedValue([]);
});

describe.each([
  ["rises", { generation: 4, weight: 0 }, 10],
  ["falls", { generation: 4, weight: 30 }, 10],
  ["stays", { generation: 4, weight: 10 }, 10],
] as const)("Pulumi's write of a weight that %s", (_, deployed, weight) => {
  const route = planned(deployed, weight);

  it("goes ahead while the cluster has that weight", async () => {
    live({ generation: 5, weight });
    const { before, after } = around(route);
    await before();
    // The write may change other fields of the spec too.
    live({ generation: 6, weight });
    await after();
    expect(toZero).not.toHaveBeenCalled();
  });

  it("does not happen where somebody has lowered it since", async () => {
    live({ generation: 5, weight: 0 });
    const { before, hasFailed } = around(route);
    expect(hasFailed()).toBe(false);
    await expect(before()).rejects.toThrow(
      "cluster-b: somebody lowered v2 of user/user-service from 10 % to 0 % while Pulumi was at work.",
    );
    expect(hasFailed()).toBe(true);
  });

  it("lowers all clusters where a controller has written one over, before it or after it", async () => {
    const over = { generation: 5, weight: 0, writtenBy: "argocd-controller" };
    const text =
      "field manager argocd-controller has written VirtualService user/user-service in cluster-b: v2 has 0 % there, not 10 %. So v2 is lowered to 0 % in all clusters. Have its owner take the VirtualService out";
    live(over);
    await expect(around(route).before()).rejects.toThrow(text);
    live({ generation: 5, weight });
    const { before, after } = around(route);
    await before();
    live({ ...over, generation: 6 });
    await expect(after()).rejects.toThrow(text);
    expect(toZero).toHaveBeenCalledTimes(2);
    const [clusters = []] = vi.mocked(toZero).mock.calls[1] ?? [];
    expect(clusters.map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
  });

  it("does not happen where somebody has lowered it at one host since", async () => {
    live({ generation: 5, weight, leastWeight: 3 });
    await expect(around(route).before()).rejects.toThrow("from 10 % to 3 %");
  });

  it("lowers it in all clusters if it has replaced a change of that very moment", async () => {
    live({ generation: 5, weight });
    const { before, after, hasFailed } = around(route);
    await before();
    expect(hasFailed()).toBe(false);
    live({ generation: 7, weight, rules: ["live"] });
    await expect(after()).rejects.toThrow("so v2 is lowered to 0 % in all clusters.");
    expect(hasFailed()).toBe(true);
    const [clusters = [], find] = vi.mocked(toZero).mock.calls[0] ?? [];
    expect(clusters.map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
    const [cluster] = clusters;
    expect(cluster && (await find?.(cluster))).toMatchObject([
      { service: "user-service", namespace: "user", canary: "v2", rules: ["live"] },
    ]);
  });

  it("names where it could not lower it then", async () => {
    live({ generation: 5, weight });
    const { before, after } = around(route);
    await before();
    live({ generation: 7, weight });
    vi.mocked(toZero).mockResolvedValue([
      { name: "cluster-a", canaries: [], problem: "no answer" },
      { name: "cluster-b", canaries: [] },
    ]);
    await expect(after()).rejects.toThrow(
      "in all clusters but cluster-a (no answer): lower it there by release zero.",
    );
  });

  it("leaves a weight that is lowered after it", async () => {
    live({ generation: 5, weight });
    const { before, after } = around(route);
    await before();
    live({ generation: 7, weight: 0 });
    await after();
    expect(toZero).not.toHaveBeenCalled();
  });
});

describe("a promotion", () => {
  const promoted = () => {
    const route = planned({ generation: 4, weight: 100 }, 100);
    return { ...route, wanted: { ...route.wanted, stable: "v2", canary: undefined, weight: 0 } };
  };

  it("does not happen where somebody has lowered the canary since", async () => {
    live({ generation: 5, weight: 0, writtenBy: "argocd-controller" });
    await expect(around(promoted()).before()).rejects.toThrow("from 100 % to 0 %");
    // It is the next stable version: nothing takes requests away from it.
    expect(toZero).not.toHaveBeenCalled();
  });

  it("is told to have replaced a change of that very moment", async () => {
    live({ generation: 4, weight: 100 });
    const { before, after } = around(promoted());
    await before();
    live({ generation: 6, stable: "v2", canary: undefined, weight: 0 });
    await expect(after()).rejects.toThrow(
      "Pulumi's write replaced that change. Find out what was changed, and run release rollback if it was meant.",
    );
    expect(toZero).not.toHaveBeenCalled();
  });
});

it("a route that nobody has a share of, or that is new, needs no look", () => {
  const change = new LoweredSince(settings({ weight: 10 }));
  const route = planned({ generation: 4 }, 0);
  expect(change.hooks({ ...route, deployed: undefined })).toBeUndefined();
});
