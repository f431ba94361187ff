import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { drainMarks, markDrained, type DrainMark } from "../../../fleet/drain-marks.ts";
import { readyPods } from "../../../fleet/ready-pods.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import { problemLine } from "../../../lib/problems.ts";
import { DrainedClusters } from "../../../stacks/drained-clusters.ts";
import type { ReadBy } from "../../../stacks/mesh.ts";
import { planRelease, type ReleasePlan } from "../../../stacks/release-plan.ts";
import { deployedCluster, split } from "../../helpers/deployed.ts";
import { kubeconfigFile, settings } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

vi.mock(import("../../../fleet/drain-marks.ts"), () => ({
  drainMarks: vi.fn<typeof drainMarks>(),
  markDrained: vi.fn<typeof markDrained>(),
}));
vi.mock(import("../../../fleet/ready-pods.ts"), () => ({ readyPods: vi.fn<typeof readyPods>() }));

const drain = { away: [{ name: "cluster-b", drain: true }] };

/** Clusters that serve the canary 10 %, as the fixture's config wants it; cluster-b may have another weight. */
const deployed = (names: readonly string[], weightInB = 10): readonly DeployedCluster[] =>
  names.map((name) =>
    deployedCluster(name, split("v1", "v2", name === "cluster-b" ? weightInB : 10)),
  );

const kubeconfig = kubeconfigFile();
const client = (name: string) =>
  new ClusterClient({ name, context: `prod-${name.slice(-1)}`, kubeconfig });

/** What is found where cluster-a's remote secret of cluster-b is marked, unless it is not. */
async function found(
  options: Parameters<typeof settings>[0],
  mark: DrainMark | undefined,
): Promise<{ readonly drained: DrainedClusters; readonly clusters: readonly ClusterClient[] }> {
  const config = settings(options);
  const drained = new DrainedClusters(config);
  const clusters = config.clusters
    .filter(({ name }) => !config.away.includes(name))
    .map(({ name }) => client(name));
  vi.mocked(drainMarks).mockImplementation(({ name }) =>
    Promise.resolve(
      new Map(mark !== undefined && name === "cluster-a" ? [["cluster-b", mark]] : []),
    ),
  );
  await drained.find(clusters);
  return { drained, clusters };
}

const both = ["cluster-a", "cluster-b"];
const planOf = (weightInB = 10): ReleasePlan => planRelease(settings(), deployed(both, weightInB));

beforeEach(() => {
  vi.mocked(markDrained).mockReset().mockResolvedValue();
  vi.mocked(readyPods).mockReset().mockResolvedValue({ pods: 4, ready: 4 });
});

describe("a cluster that is drained", () => {
  it("gets nothing of the others", async () => {
    const { drained } = await found(drain, undefined);
    expect(drained.closed(planRelease(settings(drain), deployed(["cluster-a"])))).toEqual([
      "cluster-b",
    ]);
  });

  it("is not drained until the others have the pods for every version that serves", async () => {
    const { drained, clusters } = await found(drain, undefined);
    const at10 = deployed(["cluster-a"]);
    expect(await drained.problems(clusters, at10)).toEqual([]);
    expect(vi.mocked(readyPods).mock.calls.map(([{ name }, , version]) => [name, version])).toEqual(
      [
        ["cluster-a", "v1"],
        ["cluster-a", "v2"],
      ],
    );
    vi.mocked(readyPods).mockImplementation((_, __, version) =>
      Promise.resolve({ pods: 2, ready: version === "v2" ? 1 : 2 }),
    );
    expect((await drained.problems(clusters, at10)).map(problemLine)).toEqual([
      " - away[0].drain: must be false until the other clusters have the pods for the requests of cluster-b too: of v2 of user/user-service, 1 of the 2 that they need are ready in cluster-a (4 for all requests, and safety.capacity is 0.5), got true. Run more pods of it there, or wait for those that start. Until then: pulumi config set --path 'away[0].drain' false, which leaves cluster-b as it is.",
    ]);
    // A canary that serves nothing may have no pods: that is how a bad one ends.
    const at0 = [deployedCluster("cluster-a", split("v1", "v2", 0))];
    expect(await drained.problems(clusters, at0)).toEqual([]);
  });

  it("stays drained whatever pods there are, so that no later update waits for them", async () => {
    vi.mocked(readyPods).mockResolvedValue({ pods: 4, ready: 0 });
    const { drained, clusters } = await found(drain, "away");
    expect(await drained.problems(clusters, deployed(["cluster-a"]))).toEqual([]);
  });

  it("is not given back while it is away", async () => {
    const { drained, clusters } = await found({ away: ["cluster-b"] }, "away");
    const problems = await drained.problems(clusters, deployed(["cluster-a"]));
    expect(problems.map(({ path, rule }) => `${path} ${rule}`)).toEqual([
      "away[0] must keep drain: true: the cluster was drained, and gets requests of the others again only once it is equal to them",
    ]);
  });

  it("has its remote secrets taken out of use, not in a preview", async () => {
    await recordProgram();
    const { drained } = await found(drain, "away");
    await drained.takeOut();
    expect(vi.mocked(markDrained).mock.calls.map(([{ name }, ...of]) => [name, ...of])).toEqual([
      ["cluster-a", "cluster-b", "away"],
    ]);
    vi.mocked(markDrained).mockClear();
    vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValueOnce(true);
    await drained.takeOut();
    expect(markDrained).not.toHaveBeenCalled();
  });
});

describe("a drained cluster that is back", () => {
  /** What the end of an update marks. */
  async function marked(
    { drained }: { readonly drained: DrainedClusters },
    plan: ReleasePlan,
    isUsed: boolean,
  ): Promise<readonly unknown[]> {
    const secret: ReadBy = {
      ...{ source: "cluster-b", reader: "cluster-a", isUsed: pulumi.output(isUsed) },
    };
    const own: ReadBy = { source: "cluster-a", reader: "cluster-b", isUsed: pulumi.output(true) };
    const end = drained.mark(plan, [secret, own]);
    await new Promise<void>((resolve) => end?.apply(resolve));
    return vi
      .mocked(markDrained)
      .mock.calls.map(([{ name }, source, mark]) => [...[name, source, mark]]);
  }

  beforeEach(async () => {
    await recordProgram();
  });

  it("is made equal before the others send it requests", async () => {
    const it0 = await found({}, "away");
    expect(it0.drained.closed(planOf(0))).toEqual(["cluster-b"]);
    // Equal it may be, but no update has seen to all that is there.
    expect(it0.drained.closed(planOf())).toEqual(["cluster-b"]);
    expect(it0.drained.warnings(planOf(0))).toEqual([
      "cluster-b was drained: this update makes it equal to the other clusters, which send it nothing yet. Run pulumi up once more, before the next change: then they do.",
    ]);
    expect(await marked(it0, planOf(0), false)).toEqual([["cluster-a", "cluster-b", "equal"]]);
  });

  it("gets requests by the next update, if it is still equal then", async () => {
    const it1 = await found({}, "equal");
    expect(it1.drained.closed(planOf(0))).toEqual(["cluster-b"]);
    expect(it1.drained.closed(planOf())).toEqual([]);
    expect(it1.drained.warnings(planOf())).toEqual([
      "cluster-b is equal to the other clusters: they send it requests again.",
    ]);
    expect(await marked(it1, planOf(), true)).toEqual([["cluster-a", "cluster-b", undefined]]);
  });

  it("is not marked by an update that has left its remote secret out", async () => {
    expect(await marked(await found({}, "away"), planOf(), true)).toEqual([]);
    expect(await marked(await found({}, "equal"), planOf(), false)).toEqual([]);
  });

  it("is unlike one that never was drained", async () => {
    const { drained } = await found({}, undefined);
    expect(drained.closed(planOf(0))).toEqual([]);
    expect(drained.warnings(planOf(0))).toEqual([]);
    expect(drained.mark(planOf(0), [])).toBeUndefined();
  });
});
