import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import type { MadeObject } from "../../../fleet/routing/cluster-routing.ts";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import { DeletedObjects } from "../../../stacks/deleted-objects.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { deployedCluster, KEY, split } from "../../helpers/deployed.ts";
import { settings } from "../../helpers/fixtures.ts";

const NOTHING = "nothing: it had been deleted by 2026-05-01T10:00:00.000Z";
const object = (kind: string, name = "user-service") => ({ kind, namespace: "user", name });
const rule = object("DestinationRule");
const route = object("VirtualService");

/** All that updates make in a cluster, beside one other. */
function all(other: string): MadeObject[] {
  const crossing = `user-service-${other}`;
  return [
    ...[route, rule, object("DestinationRule", crossing), object("ServiceEntry", crossing)],
  ].map((each) => ({ ...each, replaces: undefined }));
}

/** What each cluster has, and how it routes the service; cluster-b has all of it unless something else is said. */
async function find(
  made: readonly MadeObject[],
  deployed = ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, split("v1", "v2", 10))),
  preview = false,
  others: readonly MadeObject[] = all("cluster-a"),
) {
  vi.spyOn(clusterRouting, "made").mockImplementation(({ name }) =>
    Promise.resolve(name === "cluster-a" ? made : others),
  );
  vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(preview);
  const to = settings({ weight: 10 });
  const clusters = to.clusters.map(
    ({ name, context, kubeconfig }) => new ClusterClient({ name, context, kubeconfig }),
  );
  return { to, deployed, deleted: await DeletedObjects.find(to, clusters, deployed) };
}

const without = (gone: { readonly kind: string; readonly name: string }) =>
  all("cluster-b").filter(({ kind, name }) => kind !== gone.kind || name !== gone.name);

beforeEach(() => {
  vi.restoreAllMocks();
  vi.useFakeTimers({ now: Date.parse("2026-05-01T10:00:00Z"), toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a routing object that somebody has deleted", () => {
  it("is made anew before Pulumi updates it, as the field manager that had made it", async () => {
    const { deleted } = await find(without(rule));
    const remake = vi.spyOn(clusterRouting, "remake").mockResolvedValue();
    expect(deleted.warning).toMatch(/ - cluster-a: DestinationRule user\/user-service\n/);
    const { replaces, hooks } = deleted.remade("cluster-a", rule);
    expect(replaces).toBe(NOTHING);
    const [hook] = hooks?.beforeUpdate ?? [];
    const { apiVersion, metadata, spec } = {
      ...{ apiVersion: "networking.istio.io/v1", metadata: { name: "user-service" } },
      spec: { host: "user-service" },
    };
    await (hook as pulumi.ResourceHookFunction)({
      ...{ urn: "", id: "", name: "", type: "" },
      newInputs: { apiVersion, kind: "DestinationRule", metadata, spec, __defaults: [] },
      oldOutputs: { __fieldManager: "pulumi-kubernetes-1a2b" },
    });
    expect(remake).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ name: "cluster-a" }),
      { apiVersion, kind: "DestinationRule", metadata, spec },
      "pulumi-kubernetes-1a2b",
    );
    expect(deleted.remade("cluster-b", rule)).toEqual({ replaces: undefined });
  });

  it("is told in a preview, which would fail with it", async () => {
    const { deleted } = await find(without(rule), undefined, true);
    expect(deleted.warning).toContain("pulumi up makes them anew");
    expect(deleted.remade("cluster-a", rule)).toEqual({ ignoreChanges: ["metadata", "spec"] });
  });

  it("keeps its annotation once it is there again, so that nothing changes", async () => {
    const made = all("cluster-b").map((each) => ({ ...each, replaces: NOTHING }));
    const { deleted } = await find(made);
    expect(deleted.warning).toBeUndefined();
    expect(deleted.remade("cluster-a", rule)).toEqual({ replaces: NOTHING });
  });

  it("is made anew a second time: its annotation is not the one that Pulumi's state has", async () => {
    const first = (await find(without(rule))).deleted.remade("cluster-a", rule).replaces;
    vi.setSystemTime(Date.parse("2026-05-02T10:00:00Z"));
    const second = (await find(without(rule))).deleted.remade("cluster-a", rule).replaces;
    expect(second).toBeDefined();
    expect(second).not.toBe(first);
  });

  it.each([object("ServiceEntry", "user-service-cluster-b"), route])(
    "is found among all kinds: %o",
    async (gone) => {
      const { deleted } = await find(without(gone));
      expect(deleted.warning).toContain(` - cluster-a: ${gone.kind} user/${gone.name}`);
      expect(deleted.remade("cluster-a", gone).hooks).toBeDefined();
    },
  );

  it("is found where nothing is left of the service, as when the CRDs were deleted", async () => {
    const routes = [
      deployedCluster("cluster-a", undefined),
      deployedCluster("cluster-b", split("v1", "v2", 10)),
    ];
    const { deleted } = await find([], routes);
    for (const gone of all("cluster-b")) {
      expect(deleted.remade("cluster-a", gone).hooks).toBeDefined();
    }
    expect(deleted.lacksRoute("cluster-a", KEY)).toBe(true);
  });

  it("is not one that was never made: of a new service, or of a cluster that has just joined", async () => {
    const none = ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, undefined));
    expect((await find([], none, false, [])).deleted.warning).toBeUndefined();
    const joins = [
      deployedCluster("cluster-a", split("v1", "v2", 10)),
      deployedCluster("cluster-b", undefined),
    ];
    const { deleted } = await find(
      [route, rule].map((each) => ({ ...each, replaces: undefined })),
      joins,
      false,
      [],
    );
    expect(deleted.warning).toBeUndefined();
  });

  it("is not known of a cluster that cannot be read", async () => {
    vi.spyOn(clusterRouting, "made").mockRejectedValue(new Error("forbidden"));
    const to = settings({ weight: 10 });
    const clusters = to.clusters.map((each) => new ClusterClient(each));
    const deployed = clusters.map(({ name }) => deployedCluster(name, split("v1", "v2", 10)));
    const { unread, warning } = await DeletedObjects.find(to, clusters, deployed);
    expect(Object.fromEntries(unread)).toEqual({
      "cluster-a": "forbidden",
      "cluster-b": "forbidden",
    });
    expect(warning).toBeUndefined();
  });
});

describe("a route that is made", () => {
  const routes = [
    deployedCluster("cluster-a", undefined),
    deployedCluster("cluster-b", split("v1", "v2", 10)),
  ];
  const plannedIn = async (
    made: readonly MadeObject[],
    preview = false,
    others = all("cluster-a"),
  ) => {
    const { to, deployed, deleted } = await find(made, routes, preview, others);
    const plan = planRelease(to, deployed, new Map(), "test", deleted);
    const planned = plan.routes.find(({ cluster }) => cluster === "cluster-a");
    const { annotations } = planned?.objects.weights.metadata ?? {};
    return {
      made: plan.made,
      weight: planned?.wanted.weight,
      shares: planned?.objects.shares,
      replaces: annotations?.["istio-canary/replaces"],
    };
  };

  it("gives the canary nothing in a cluster that joins, so that its weight passes the checks", async () => {
    expect(await plannedIn([], false, all("cluster-c"))).toEqual({
      made: [{ key: KEY, cluster: "cluster-a" }],
      weight: 0,
      shares: { v1: 100, v2: 0 },
      replaces: undefined,
    });
  });

  it("anew gives it nothing either, and is shown to Pulumi as a change", async () => {
    expect(await plannedIn(without(route))).toMatchObject({
      made: [{ key: KEY, cluster: "cluster-a" }],
      weight: 0,
      replaces: NOTHING,
    });
  });

  it("anew is previewed as it was", async () => {
    expect(await plannedIn(without(route), true)).toMatchObject({
      made: [],
      weight: 10,
      replaces: undefined,
    });
  });
});
