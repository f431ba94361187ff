import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { recordRouting } from "../../../fleet/records/routing-records.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { joinHooks, RoutingRecords, whoRuns } from "../../../stacks/routing-records.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/records/routing-records.ts"), async (original) => ({
  ...(await original()),
  recordRouting: vi.fn<typeof recordRouting>(),
}));

const config = settings({ weight: 10 });
const [service] = config.services;
if (!service) throw new Error("the fixture has a service");

async function afterUpdate(): Promise<void> {
  const [hook] = new RoutingRecords(config).hooks("cluster-b", service as never).afterUpdate ?? [];
  if (typeof hook !== "function") throw new Error("there is no hook after the update");
  await hook({ urn: "", id: "", name: "", type: "" });
}

beforeEach(() => {
  vi.mocked(recordRouting).mockReset();
});

describe("after an update of a VirtualService", () => {
  it("what its cluster serves is recorded under the configuration's digest", async () => {
    await afterUpdate();
    const [cluster, scope, state] = vi.mocked(recordRouting).mock.calls[0] ?? [];
    expect(cluster?.name).toBe("cluster-b");
    expect(scope?.hosts).toEqual([
      "user-service.user.svc.cluster.local",
      "user-service.user.cluster-a.mesh",
      "user-service.example.com",
    ]);
    expect(state).toEqual({ digest: routingDigest(config, service, "cluster-b"), by: whoRuns() });
  });

  it("a warning names the cluster that could not be recorded, and the update goes on", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    vi.mocked(recordRouting).mockRejectedValue(new Error("forbidden"));
    await afterUpdate();
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      "cluster-b: what user/user-service serves now is not recorded, so a rollback to this state cannot be compared with it: forbidden",
    );
  });
});

describe("who has made a state", () => {
  it("is who the CI system says, or the user of this machine", () => {
    expect(whoRuns({ GITHUB_ACTOR: "ada" })).toBe("ada");
    expect(whoRuns({})).toMatch(/^.+@.+$/);
  });
});

describe("the digest of a configuration's routing", () => {
  const digest = (changes: object, of: object = {}, cluster = "cluster-a") =>
    routingDigest({ ...config, ...of }, { ...service, ...changes }, cluster);

  it("is the same for the same routing, whatever runs behind it", () => {
    const { canary } = service;
    expect(digest({ env: { LOG: "debug" }, stable: { ...service.stable, replicas: 9 } })).toBe(
      digest({}),
    );
    expect(digest({ canary: Object.fromEntries(Object.entries(canary ?? {}).reverse()) })).toBe(
      digest({}),
    );
    expect(digest({ canary: undefined }, { weight: 30 })).toBe(digest({ canary: undefined }));
    expect(digest({}, {}, "cluster-b")).toBe(digest({}));
  });

  it("is that of weight 0 in a cluster in quarantine, and the others do not notice", () => {
    const of = { quarantine: ["cluster-b"] };
    expect(digest({}, of, "cluster-b")).toBe(digest({}, { weight: 0 }, "cluster-b"));
    expect(digest({}, of, "cluster-b")).not.toBe(digest({}));
    expect(digest({}, of)).toBe(digest({}));
  });

  it.each([
    [{}, { weight: 30 }],
    [{}, { clusters: config.clusters.slice(0, 1) }],
    [{ stable: { ...service.stable, version: "v0" } }, {}],
    [{ canary: undefined }, {}],
    [{ matches: [] }, {}],
    [{ mirrorPercent: 5 }, {}],
    [{ timeout: "3s" }, {}],
    [{ retries: { attempts: 0 } }, {}],
    [{ ingressHosts: [] }, {}],
  ])("is another one with %j %j", (changes, of) => {
    expect(digest(changes, of)).not.toBe(digest({}));
  });
});

describe("hooks of several concerns", () => {
  it("all run, in their order", () => {
    const [one, two] = [vi.fn<() => void>(), vi.fn<() => void>()];
    const joined = joinHooks({ afterUpdate: [one] }, undefined, {
      afterUpdate: [two],
      beforeUpdate: [two],
    });
    expect(joined).toEqual({
      beforeCreate: [],
      afterCreate: [],
      beforeUpdate: [two],
      afterUpdate: [one, two],
    });
  });
});
