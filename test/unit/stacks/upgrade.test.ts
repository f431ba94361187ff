import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findInjected, findIstiods, findProxies } from "../../../fleet/upgrade/find-revisions.ts";
import { findTags } from "../../../fleet/upgrade/find-tags.ts";
import { againstMove, againstRevision } from "../../../fleet/upgrade/upgraded.ts";
import { everyone } from "../../../lib/who-counts.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { Upgrade } from "../../../stacks/upgrade.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, valueOf } from "../../helpers/mocks.ts";

vi.mock(import("../../../fleet/upgrade/find-revisions.ts"), () => ({
  findInjected: vi.fn<typeof findInjected>(),
  findIstiods: vi.fn<typeof findIstiods>(),
  findProxies: vi.fn<typeof findProxies>(),
}));
vi.mock(import("../../../fleet/upgrade/find-tags.ts"), () => ({
  findTags: vi.fn<typeof findTags>(),
}));
vi.mock(import("../../../fleet/upgrade/upgraded.ts"), () => ({
  againstMove: vi.fn<typeof againstMove>(),
  againstRevision: vi.fn<typeof againstRevision>(),
}));

const NEW = "1-31-1";
const both = [{ name: "default" }, { name: NEW, version: "1.31.1" }];
const moved = [{ namespace: "user", revision: NEW, clusters: ["cluster-a"] }];

function settingsOf(mesh: object, more: object = {}): Settings {
  const raw = rawConfig({ weight: 0 });
  const { settings } = parseConfig({
    ...{ ...raw, safety: { checkWithin: "1s" }, ...more },
    mesh: { ...raw.mesh, ...mesh },
  });
  if (!settings || "meshStack" in settings) throw new Error("the configuration is right");
  return settings;
}

/** What a look finds. */
const found = (...against: readonly string[]) => ({ against, leftOut: [] });

const find = (settings: Settings) => Upgrade.find(settings, planRelease(settings, []));

beforeEach(async () => {
  await recordProgram();
  vi.spyOn(pulumi.log, "info").mockResolvedValue();
  vi.mocked(findIstiods).mockResolvedValue(
    new Map([
      ["default", "1.31.0"],
      [NEW, "1.31.1"],
    ]),
  );
  vi.mocked(findTags).mockResolvedValue({ tags: {}, labels: new Map() });
  vi.mocked(findProxies).mockResolvedValue([{ namespace: "user", revision: "default", pods: 2 }]);
  vi.mocked(findInjected).mockResolvedValue([
    { namespace: "user", name: "user-service-v1", revision: "default" },
  ]);
  vi.mocked(againstRevision).mockReset().mockResolvedValue(found());
  vi.mocked(againstMove).mockReset().mockResolvedValue([]);
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("an upgrade", () => {
  it("asks nothing more of clusters with one control plane, and none to come", async () => {
    vi.mocked(findIstiods).mockResolvedValue(new Map([["default", "1.31.0"]]));
    vi.mocked(findTags).mockClear();
    const upgrade = await find(settingsOf({}));
    expect(findTags).not.toHaveBeenCalled();
    expect(upgrade.moves("user")).toBe(false);
    await valueOf(upgrade.complete([]));
    expect(againstRevision).not.toHaveBeenCalled();
  });

  it("goes on without revisions where a cluster cannot be read, and stops with them", async () => {
    vi.mocked(findIstiods).mockRejectedValue(new Error("no answer in time"));
    await find(settingsOf({}));
    await expect(find(settingsOf({ revisions: both }))).rejects.toThrow(
      " - mesh.revisions: must be known to be safe in cluster-a, whose control planes cannot be read: no answer in time. Make the cluster answer, or give the kubeconfig's user the rights that docs/permissions.md lists.",
    );
  });

  it("is refused if a control plane goes that proxies still use, also without the keys", async () => {
    vi.mocked(findProxies).mockResolvedValue([{ namespace: "team", revision: NEW, pods: 1 }]);
    await expect(find(settingsOf({}))).rejects.toThrow(
      [
        "The mesh must not be upgraded like this (Pulumi.test.yaml):",
        ` - mesh.revisions: must keep ${NEW} in cluster-a: 1 pod has a proxy of it, in team. Move these namespaces to another revision first, and restart what is not the program's in them: kubectl rollout restart.`,
      ].join("\n"),
    );
  });

  it("looks at the control plane that a namespace goes to before, and at all that has moved after", async () => {
    const upgrade = await find(settingsOf({ revisions: both }, { dataPlane: moved }));
    expect(upgrade.moves("user")).toBe(true);
    expect(upgrade.moves("istio-ingress")).toBe(false);
    const asked = () =>
      vi
        .mocked(againstRevision)
        .mock.calls.map(([{ name }, revision, clusters]) =>
          [name, revision, ...clusters].join(" "),
        );
    expect(asked()).toEqual([`cluster-a ${NEW} cluster-a cluster-b`]);
    expect(againstMove).not.toHaveBeenCalled();
    vi.mocked(againstRevision).mockClear();
    await valueOf(upgrade.complete([]));
    expect(againstMove).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ name: "cluster-a" }),
      expect.objectContaining({ namespace: "user", to: NEW }),
      ["user-service", "istio-eastwestgateway", "istio-ingressgateway"],
      everyone,
    );
    expect(asked()).toEqual([`cluster-a ${NEW} cluster-a cluster-b`]);
  });

  it("moves nothing to a control plane that is not in sync", async () => {
    vi.mocked(againstRevision).mockResolvedValue(
      found("shop/web (routes) did not accept what istiod has sent"),
    );
    await expect(find(settingsOf({ revisions: both }, { dataPlane: moved }))).rejects.toThrow(
      [
        "The mesh is not ready for this step of its upgrade (Pulumi.test.yaml):",
        ` - ${NEW} in cluster-a: must serve, and be in sync with all proxies that it has, but shop/web (routes) did not accept what istiod has sent. See kubectl -n istio-system logs -l app=istiod,istio.io/rev=${NEW}, and istioctl proxy-status.`,
      ].join("\n"),
    );
  });

  it("goes back from a control plane that is broken: only the other one is asked", async () => {
    vi.mocked(findInjected).mockResolvedValue([
      { namespace: "user", name: "user-service-v1", revision: NEW },
    ]);
    vi.mocked(findTags).mockResolvedValue({ tags: {}, labels: new Map([["user", NEW]]) });
    vi.mocked(againstRevision).mockImplementation((_cluster, revision) =>
      Promise.resolve(revision === NEW ? found("no pod runs") : found()),
    );
    const settings = settingsOf({ revisions: both }, { allow: ["upgrade-everywhere"] });
    expect((await find(settings)).moves("user")).toBe(true);
  });

  it("asks nothing of a cluster that is away, and nobody whether it is read", async () => {
    vi.mocked(findIstiods).mockClear();
    await find(settingsOf({ revisions: both }, { dataPlane: moved, away: ["cluster-b"] }));
    expect(vi.mocked(findIstiods).mock.calls.map(([{ name }]) => name)).toEqual(["cluster-a"]);
    expect(
      vi.mocked(againstRevision).mock.calls.map(([{ name }, , clusters]) => [name, clusters]),
    ).toEqual([["cluster-a", ["cluster-a"]]]);
  });

  it("asks nobody but its own istiod whether a cluster is read that is drained", async () => {
    const settings = settingsOf({ revisions: both }, { dataPlane: moved });
    await find({ ...settings, closed: ["cluster-b"] });
    await find({ ...settings, closed: ["cluster-a"] });
    expect(vi.mocked(againstRevision).mock.calls.map(([, , clusters]) => clusters)).toEqual([
      ["cluster-a"],
      ["cluster-a", "cluster-b"],
    ]);
  });

  it("leaves those out that the configuration says, a part of them only after the wait", async () => {
    const safety = { checkWithin: "1s", confirm: "98%", exclude: [{ namespace: "shop" }] };
    vi.mocked(againstRevision).mockImplementation((_cluster, _revision, _clusters, { percent }) =>
      Promise.resolve(
        percent === 100
          ? found("shop/web is not connected to istiod")
          : {
              against: [],
              leftOut: ["1 of 99 that are not in sync", "2 that safety.exclude names"],
            },
      ),
    );
    const upgrade = await find(settingsOf({ revisions: both }, { dataPlane: moved, safety }));
    await valueOf(upgrade.complete([]));
    const asked = vi.mocked(againstRevision).mock.calls.map(([, , , who]) => who);
    expect(asked.map(({ percent }) => percent).slice(0, 2)).toEqual([100, 100]);
    expect(asked.at(-1)).toEqual({ percent: 98, exclude: [{ namespace: "shop" }], lost: false });
    expect(pulumi.log.info).toHaveBeenCalledWith(
      [
        `This step of the upgrade is made: ${NEW} in cluster-a is in sync, with all proxies that count.`,
        "Left out in cluster-a: 1 of 99 that are not in sync; 2 that safety.exclude names.",
      ].join("\n"),
    );
  });

  it("looks at what it installs only when that is there", async () => {
    vi.mocked(findIstiods).mockResolvedValue(new Map([["default", "1.31.0"]]));
    const upgrade = await find(settingsOf({ revisions: both }));
    expect(againstRevision).not.toHaveBeenCalled();
    vi.mocked(againstRevision).mockResolvedValue(found(`no pod of istiod of ${NEW} runs`));
    const end = upgrade.complete([]).apply(() => "well");
    expect(await valueOf(pulumi.recover(end, String))).toContain(
      "This step of the upgrade is made, and not well. Go back by the config of before (docs/upgrades.md), or mend it:",
    );
  });
});
