import { beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmRules } from "../../../fleet/confirm-rules.ts";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import { routing } from "../../../lib/routing/index.ts";
import type { RoutingRules } from "../../../lib/routing/routing.ts";
import { takeLeavingVersionsOut } from "../../../stacks/leaving-versions.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { deployedCluster, KEY, split } from "../../helpers/deployed.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/confirm-rules.ts"), () => ({
  confirmRules: vi.fn<typeof confirmRules>(),
}));
const write = vi.spyOn(clusterRouting, "write");

const to = settings({ weight: 0 });
const clusters = to.clusters.map((each) => new ClusterClient(each));

/** What the program writes for a canary at 0 %, that testers reach, and that gets mirrored requests. */
const rulesWith = (canary: string): RoutingRules => [
  {
    name: "user-service-canary",
    match: [{ headers: { "x-canary": { exact: "true" } } }],
    route: [{ destination: { host: "user-service", subset: canary } }],
  },
  {
    name: "user-service-weights",
    route: [
      { destination: { host: "user-service", subset: "v1" }, weight: 100 },
      { destination: { host: "user-service", subset: canary }, weight: 0 },
    ],
    timeout: "10s",
    mirror: { host: "user-service", subset: canary },
    mirrorPercentage: { value: 20 },
  },
];

const deployedWith = (canary: string): readonly DeployedCluster[] =>
  ["cluster-a", "cluster-b"].map((name) => {
    const cluster = deployedCluster(name, split("v1", canary, 0));
    const route = cluster.routes.get(KEY);
    const rules = rulesWith(canary);
    return {
      ...cluster,
      routes: new Map(route ? [[KEY, { ...route, rules, resourceVersion: "7" }]] : []),
    };
  });

const plan = (canary: string) => planRelease(to, deployedWith(canary));

beforeEach(() => {
  write.mockReset().mockResolvedValue();
  vi.mocked(confirmRules).mockReset().mockResolvedValue();
});

describe("a canary that another one replaces", () => {
  it("is taken out of the routes of every cluster, and every Envoy has them, before its subset goes", async () => {
    await takeLeavingVersionsOut(plan("v9"), to, clusters);
    expect(write.mock.calls.map(([{ name }]) => name)).toEqual(["cluster-a", "cluster-b"]);
    const [, service, rules, options] = write.mock.calls[0] ?? [];
    expect(service).toEqual({ service: "user-service", namespace: "user" });
    expect(options).toEqual({ replacing: "7" });
    expect(rules).toEqual([
      {
        name: "user-service-weights",
        route: [{ destination: { host: "user-service", subset: "v1" }, weight: 100 }],
        timeout: "10s",
      },
    ]);
    expect(vi.mocked(confirmRules).mock.calls.map(([{ name }]) => name)).toEqual([
      "cluster-a",
      "cluster-b",
    ]);
  });

  it("keeps no update waiting where a cluster refuses that", async () => {
    write.mockImplementation(({ name }) =>
      name === "cluster-b" ? Promise.reject(new Error("denied")) : Promise.resolve(),
    );
    expect(await takeLeavingVersionsOut(plan("v9"), to, clusters)).toEqual(
      new Map([["cluster-b", "denied"]]),
    );
    expect(vi.mocked(confirmRules).mock.calls.map(([{ name }]) => name)).toEqual(["cluster-a"]);
  });
});

describe("a canary that has left the routes for one that was not made", () => {
  it("comes back when the config has it again, though Pulumi's state has never lost it", () => {
    const left = ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, split("v1")));
    const { routes } = planRelease(to, left);
    for (const { objects } of routes) {
      expect(objects.weights.metadata.annotations).toMatchObject({
        "istio-canary/replaces": "generation 1",
      });
    }
    const there = planRelease(to, deployedWith("v2"));
    for (const { objects } of there.routes) {
      expect(objects.weights.metadata.annotations).not.toHaveProperty("istio-canary/replaces");
    }
  });
});

describe("versions that stay", () => {
  it("stay in the routes, which nobody writes", async () => {
    await takeLeavingVersionsOut(plan("v2"), to, clusters);
    expect(write).not.toHaveBeenCalled();
    expect(confirmRules).not.toHaveBeenCalled();
  });

  it("are replaced as a whole where none of them stays", async () => {
    const none = { ...to, services: to.services.map((each) => ({ ...each, canary: undefined })) };
    const moved = none.services.map((each) => ({
      ...each,
      stable: { ...each.stable, version: "v5" },
    }));
    await takeLeavingVersionsOut(
      planRelease({ ...none, services: moved }, deployedWith("v9")),
      to,
      clusters,
    );
    expect(write).not.toHaveBeenCalled();
  });
});

describe("rules without a version", () => {
  it("give its share to the other one", () => {
    const [rule] = routing.without(rulesWith("v9").slice(1), "v1") as readonly {
      readonly route: readonly object[];
      readonly mirror?: object;
    }[];
    expect(rule?.route).toEqual([
      { destination: { host: "user-service", subset: "v9" }, weight: 100 },
    ]);
    expect(rule?.mirror).toBeDefined();
  });
});
