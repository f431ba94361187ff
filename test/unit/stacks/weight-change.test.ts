import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { subsets } from "../../../fleet/checks/subsets.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
import { lower } from "../../../fleet/lower.ts";
import { readNotes, writeNotes } from "../../../fleet/notes.ts";
import { raiseWeights } from "../../../fleet/raise-weights.ts";
import { clusterRouting } from "../../../fleet/routing/index.ts";
import { strangersIn } from "../../../fleet/strangers.ts";
import { readDeployed, readRoute } from "../../../fleet/read-deployed.ts";
import type { DeployedCluster, DeployedRoute } from "../../../lib/deployed.ts";
import type { Exception } from "../../../lib/exceptions.ts";
import type { PlannedRoute } from "../../../stacks/release-plan.ts";
import { exclusionWarnings } from "../../../stacks/excluded-sidecars.ts";
import { existingFindings } from "../../../stacks/existing-workloads.ts";
import { DrainedClusters } from "../../../stacks/drained-clusters.ts";
import { WeightChange } from "../../../stacks/weight-change.ts";
import { existingSettings } from "../../helpers/existing.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
  readRoute: vi.fn<typeof readRoute>(),
}));
vi.mock(import("../../../fleet/confirm.ts"), () => ({
  confirmWeights: vi.fn<typeof confirmWeights>(),
}));
vi.mock(import("../../../fleet/checks/subsets.ts"), () => ({
  subsets: { name: "the subsets", run: vi.fn<typeof subsets.run>() },
}));
vi.mock(import("../../../stacks/existing-workloads.ts"), () => ({
  existingFindings: vi.fn<typeof existingFindings>(),
}));
vi.mock(import("../../../stacks/excluded-sidecars.ts"), () => ({
  exclusionWarnings: vi.fn<typeof exclusionWarnings>(),
}));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: vi.fn<typeof readNotes>(),
  writeNotes: vi.fn<typeof writeNotes>(),
}));
vi.mock(import("../../../fleet/strangers.ts"), () => ({
  strangersIn: vi.fn<typeof strangersIn>(),
}));
vi.mock(import("../../../fleet/lower.ts"), () => ({ lower: vi.fn<typeof lower>() }));
const ahead = vi.hoisted(() => ({ look: vi.fn<() => void>(), outdate: vi.fn<() => void>() }));
vi.mock(import("../../../fleet/barrier.ts"), async (original) => ({
  Barrier: class extends (await original()).Barrier {
    override lookAhead = ahead.look;
    override outdate = ahead.outdate;
  },
}));
vi.mock(import("../../../fleet/raise-weights.ts"), () => ({
  raiseWeights: vi.fn<typeof raiseWeights>(),
}));

const KEY = "user/user-service";

function at(name: string, weight: number): DeployedCluster {
  const route = {
    stable: "v1",
    canary: "v2",
    weight,
    generation: 4,
    replaces: undefined,
    rules: [{ old: weight }],
    images: {},
  };
  return { name, unreachable: undefined, routes: new Map([[KEY, route]]) };
}
const away: DeployedCluster = {
  name: "cluster-b",
  unreachable: "no answer in time",
  routes: new Map(),
};

/** Resources that Pulumi has made. */
const made: string[] = [];

/** The change from what is deployed to a weight, in an update or in a preview. */
async function prepare(
  deployed: readonly DeployedCluster[],
  weight: number,
  preview = false,
  quarantine: readonly string[] = [],
  allow: readonly Exception[] = [],
  to = settings({ weight, quarantine }),
  drained = DrainedClusters.NONE,
): Promise<WeightChange> {
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: ({ name, inputs }) => {
        const { old } = inputs as { old?: object };
        made.push(name);
        return { id: name, state: old ?? (inputs as object) };
      },
    },
    "istio-canary",
    "test",
    preview,
  );
  vi.mocked(readDeployed).mockResolvedValue(deployed);
  return WeightChange.prepare({ ...to, allow }, drained);
}

/** What is planned for the service in a cluster. */
function planned(change: WeightChange, cluster: string): PlannedRoute {
  const found = change.plan.routes.find((route) => route.cluster === cluster && route.key === KEY);
  if (!found) throw new Error(`nothing is planned in ${cluster}`);
  return found;
}

const hooksOf = (change: WeightChange, cluster: string) => change.hooks(planned(change, cluster));

/** The annotation that shows Pulumi a difference it cannot know of. */
function replaces(change: WeightChange, cluster: string): unknown {
  const { annotations } = planned(change, cluster).objects.weights.metadata;
  return annotations?.["istio-canary/replaces"];
}

function hook(change: WeightChange, cluster: string): () => Promise<void> {
  const [found] = hooksOf(change, cluster)?.beforeUpdate ?? [];
  if (typeof found !== "function") throw new Error(`${cluster} has no hook before its update`);
  return async () => {
    await found({ urn: "", id: "", name: "", type: "" });
  };
}

beforeEach(() => {
  vi.spyOn(clusterRouting, "made").mockResolvedValue([]);
  vi.mocked(strangersIn).mockReset().mockResolvedValue([]);
  vi.mocked(existingFindings)
    .mockReset()
    .mockResolvedValue({ problems: [], warnings: [], stablePods: new Map() });
  vi.mocked(exclusionWarnings).mockReset().mockResolvedValue([]);
  vi.mocked(lower).mockReset().mockResolvedValue(new Map());
  vi.mocked(raiseWeights).mockReset();
  vi.mocked(readNotes).mockReset().mockResolvedValue({});
  vi.mocked(writeNotes).mockReset().mockResolvedValue();
  ahead.look.mockReset();
  ahead.outdate.mockReset();
  vi.mocked(confirmWeights).mockReset().mockResolvedValue({ routes: [], acknowledged: 0 });
});

describe("a weight that is to fall", () => {
  it("has fallen before anything else is asked, or noted", async () => {
    const order: string[] = [];
    const told = (what: string) => {
      order.push(what);
    };
    vi.mocked(lower).mockImplementation(() => {
      told("lower");
      return Promise.resolve(new Map());
    });
    vi.spyOn(clusterRouting, "made").mockImplementation(() => {
      told("objects");
      return Promise.resolve([]);
    });
    vi.mocked(strangersIn).mockImplementation(() => {
      told("namespaces");
      return Promise.resolve([]);
    });
    vi.mocked(existingFindings).mockImplementation(() => {
      told("pods");
      return Promise.resolve({ problems: [], warnings: [], stablePods: new Map() });
    });
    vi.mocked(writeNotes).mockImplementation(() => {
      told("note");
      return Promise.resolve();
    });
    await prepare([at("cluster-a", 30), at("cluster-b", 30)], 10);
    expect(order[0]).toBe("lower");
    expect(new Set(order)).toEqual(new Set(["lower", "note", "objects", "namespaces", "pods"]));
  });
});

describe("what others have made", () => {
  const missing = (path: string) => ({ path, rule: "must be there", fix: "Have it made." });

  it("stops the update with what is missing, together with the rules that it breaks", async () => {
    const problems = [missing("services[0].name")];
    vi.mocked(existingFindings).mockResolvedValue({
      problems,
      warnings: [],
      stablePods: new Map(),
    });
    await expect(prepare([at("cluster-a", 0), at("cluster-b", 0)], 30)).rejects.toThrow(
      /What is deployed does not allow this change [^]+ - weight: must rise one phase at a time[^]+ - services\[0\]\.name: must be there\. Have it made\.$/,
    );
    expect(lower).not.toHaveBeenCalled();
  });

  it("is only told where it is not needed yet, also in a preview", async () => {
    const warned = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    const warnings = [missing("services[0].canary.version")];
    vi.mocked(existingFindings).mockResolvedValue({
      problems: [],
      warnings,
      stablePods: new Map(),
    });
    await prepare([at("cluster-a", 0), at("cluster-b", 0)], 0, true);
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      "What others have made is not all there:\n - services[0].canary.version: must be there. Have it made.",
    );
  });
});

describe("what speaks against the Istio that others have installed", () => {
  const finding = { path: "mesh.id", rule: "must be the same", fix: "Have it corrected." };
  const from = (was: number, weight: number, kind: "problem" | "harm") =>
    prepare([at("cluster-a", was), at("cluster-b", was)], weight, false, [], [], {
      ...settings({ weight }),
      istioFindings: [{ ...finding, kind }],
    });
  const refusal =
    /does not allow this change [^]+ - mesh\.id: must be the same\. Have it corrected\.$/;

  it("keeps a weight from rising", async () => {
    await expect(from(0, 10, "problem")).rejects.toThrow(refusal);
  });

  it("keeps none from falling, and is told", async () => {
    const warned = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    await from(30, 10, "problem");
    expect(lower).toHaveBeenCalledOnce();
    expect(warned).toHaveBeenCalledWith(
      "Of the Istio that others have installed:\n - mesh.id: must be the same. Have it corrected.",
    );
  });

  it("lets nothing be registered from what is not known, once the weight has fallen", async () => {
    await expect(from(30, 10, "harm")).rejects.toThrow(
      /^The weight is 10 % now in cluster-a, cluster-b\. What is deployed does not allow/,
    );
    expect(lower).toHaveBeenCalledOnce();
  });
});

describe("routes that begin to name versions that others have made", () => {
  const names = ["cluster-a", "cluster-b"];
  /** The change to stable v1 and canary v2 from what both clusters have. */
  const from = (
    route: Partial<DeployedRoute> | undefined,
    weight = 0,
    more: Readonly<Record<string, unknown>> = {},
  ) =>
    prepare(
      names.map((name) => {
        const { routes, ...cluster } = at(name, 0);
        const found = [...routes].map(([key, own]) => [key, { ...own, ...route }] as const);
        return { ...cluster, routes: new Map(route ? found : []) };
      }),
      weight,
      false,
      [],
      [],
      existingSettings(more, weight),
    );
  const unnamed = { canary: undefined, unnamed: true } as const;
  const run = vi.mocked(subsets.run);

  beforeEach(() => {
    run.mockReset().mockResolvedValue([]);
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
  });

  it.each([
    ["the first routes", undefined],
    ["routes that have named none", unnamed],
    ["routes that have named another stable version", { stable: "v0", canary: "v1", weight: 100 }],
  ])("wait until every Envoy of all clusters knows the stable one, once: %s", async (_, route) => {
    const change = await from(route);
    await Promise.all(names.map((name) => hook(change, name)()));
    expect(run.mock.calls.map(([{ cluster, canaries }]) => [cluster.name, canaries])).toEqual(
      names.map((name): unknown => [
        name,
        [expect.objectContaining({ service: "user-service", canary: "v1" })],
      ]),
    );
    for (const name of names) expect(hooksOf(change, name)?.beforeCreate).toHaveLength(1);
  });

  it("wait for both versions where the canary gets requests at once, as in a cluster that joins", async () => {
    await hook(await from(unnamed, 10), "cluster-a")();
    expect(run.mock.calls[0]?.[0].canaries.map(({ canary }) => canary)).toEqual(["v1", "v2"]);
  });

  it.each([
    ["testers", { matches: [{ header: { "x-canary": "true" } }] }],
    ["copies of requests", { mirrorPercent: 10 }],
  ])("wait for both versions where %s reach the canary at weight 0", async (_, more) => {
    await hook(await from(unnamed, 0, more), "cluster-a")();
    expect(run.mock.calls[0]?.[0].canaries.map(({ canary }) => canary)).toEqual(["v1", "v2"]);
  });

  it("stay as they are where one does not, and then no weight rises", async () => {
    const change = await from(unnamed, 10);
    run.mockImplementation(({ cluster }) =>
      Promise.resolve(
        cluster.name === "cluster-b" ? [{ seen: "it lags", fix: "Wait.", mayHeal: false }] : [],
      ),
    );
    await expect(hook(change, "cluster-a")()).rejects.toThrow(
      [
        "No route names a version yet, since not every Envoy knows what it would name:",
        " - cluster-b: every proxy holds the versions that routes begin to name: no, it lags. Wait.",
        "All requests go where they went. Fix it, then run pulumi up again.",
      ].join("\n"),
    );
    expect(raiseWeights).not.toHaveBeenCalled();
    expect(hooksOf(change, "cluster-a")?.beforeUpdate).toHaveLength(2);
  });

  it("wait for nobody where they name it already, or go on naming none", async () => {
    expect(hooksOf(await from({}), "cluster-a")).toBeUndefined();
    const to = existingSettings({ canary: undefined });
    const none = names.map((name) => ({ ...at(name, 0), routes: new Map() }));
    expect(hooksOf(await prepare(none, 0, false, [], [], to), "cluster-a")).toBeUndefined();
  });
});

describe("a weight that is to fall", () => {
  it("is lowered before anything is registered, in every cluster that has more", async () => {
    await prepare([at("cluster-a", 30), at("cluster-b", 10)], 10);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster, weight }) => [cluster.name, weight])).toEqual([
      ["cluster-a", 10],
    ]);
  });

  it("waits for nothing that is asked about the pods of others", async () => {
    const asked = Promise.withResolvers<Awaited<ReturnType<typeof existingFindings>>>();
    vi.mocked(existingFindings).mockReturnValue(asked.promise);
    const preparing = prepare([at("cluster-a", 30), at("cluster-b", 30)], 0);
    await vi.waitFor(() => {
      expect(existingFindings).toHaveBeenCalledOnce();
    });
    expect(lower).toHaveBeenCalledOnce();
    asked.resolve({ problems: [], warnings: [], stablePods: new Map() });
    await preparing;
  });

  it("is in force where the rest of the update must not be made, and the error says so", async () => {
    const problem = {
      path: "services[0].workload",
      rule: "must stay made",
      fix: "Change it back.",
    };
    vi.mocked(existingFindings).mockResolvedValue({
      problems: [problem],
      warnings: [],
      stablePods: new Map(),
    });
    await expect(prepare([at("cluster-a", 30), at("cluster-b", 30)], 0)).rejects.toThrow(
      /^The weight is 0 % now in cluster-a, cluster-b\. What is deployed does not allow this change [^]+must stay made/,
    );
    expect(lower).toHaveBeenCalledOnce();
    expect(writeNotes).toHaveBeenCalled();
    vi.mocked(lower).mockClear();
    await expect(prepare([at("cluster-a", 30), at("cluster-b", 30)], 0, true)).rejects.toThrow(
      /^What is deployed does not allow this change/,
    );
    expect(lower).not.toHaveBeenCalled();
  });

  it("is left alone in a preview", async () => {
    await prepare([at("cluster-a", 30), at("cluster-b", 30)], 10, true);
    expect(lower).not.toHaveBeenCalled();
  });

  it("falls where somebody answers, and then fails by the name of who does not", async () => {
    await expect(prepare([at("cluster-a", 30), away], 0)).rejects.toThrow(
      [
        "Not every cluster can be updated:",
        " - cluster-b: no answer in time",
        "The weight is 0 % now in cluster-a.",
        "Fix cluster-b, then run pulumi up again: it makes all clusters the same. If it stays away, release the others without it: docs/operations.md#a-cluster-that-is-away.",
      ].join("\n"),
    );
    expect(vi.mocked(lower).mock.calls[0]?.[0]).toHaveLength(1);
  });

  it("fails without a word of others where no cluster answers", async () => {
    await expect(prepare([{ ...away, name: "cluster-a" }, away], 0)).rejects.toThrow(
      /\nFix cluster-a, cluster-b, then run pulumi up again: it makes all clusters the same\.$/,
    );
  });

  it("names a cluster that answers and does not take it", async () => {
    vi.mocked(lower).mockResolvedValue(new Map([["cluster-b", "denied"]]));
    await expect(prepare([at("cluster-a", 30), at("cluster-b", 30)], 0)).rejects.toThrow(
      / - cluster-b: denied\nThe weight is 0 % now in cluster-a\./,
    );
  });

  it("says in a preview how to lower it all the same", async () => {
    await expect(prepare([at("cluster-a", 30), away], 0, true)).rejects.toThrow(
      "To lower the weight to 0 % now in cluster-a: pulumi up --skip-preview",
    );
    expect(lower).not.toHaveBeenCalled();
  });

  it("is confirmed after Pulumi's update, and has nothing to pass before", async () => {
    const change = await prepare([at("cluster-a", 30), at("cluster-b", 30)], 10);
    expect(Object.keys(hooksOf(change, "cluster-a") ?? {})).toEqual(["afterUpdate"]);
  });
});

describe("hosts of one service with different weights", () => {
  const mixed = (name: string): DeployedCluster => {
    const cluster = at(name, 30);
    return {
      ...cluster,
      routes: new Map(
        [...cluster.routes].map(([key, route]) => [key, { ...route, leastWeight: 0 }]),
      ),
    };
  };

  it("are lowered where they are too high, and raise nothing in the same update", async () => {
    await expect(prepare([mixed("cluster-a"), at("cluster-b", 30)], 10)).rejects.toThrow(
      [
        "Somebody changed the weight of individual hosts by hand. What was too high is lowered:",
        " - cluster-a: user/user-service, to 10 %",
        "Run pulumi up again: it raises the other hosts, in all clusters or in none.",
      ].join("\n"),
    );
    expect(lower).toHaveBeenCalledOnce();
  });

  it("rise through the checks where they are too low", async () => {
    const change = await prepare([mixed("cluster-a"), at("cluster-b", 30)], 30);
    expect(Object.keys(hooksOf(change, "cluster-a") ?? {})).toContain("beforeUpdate");
    expect(replaces(change, "cluster-a")).toBe("generation 4");
    await hook(change, "cluster-b")();
    expect(raiseWeights).not.toHaveBeenCalled();
  });
});

describe("a cluster in quarantine", () => {
  it("is lowered at once, and the others stay", async () => {
    const change = await prepare([at("cluster-a", 30), at("cluster-b", 30)], 30, false, [
      "cluster-b",
    ]);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster, weight }) => [cluster.name, weight])).toEqual([["cluster-b", 0]]);
    expect(replaces(change, "cluster-a")).toBeUndefined();
    expect(replaces(change, "cluster-b")).toBe("generation 4");
  });

  it("is lowered while another cluster does not answer, and each weight is told by cluster", async () => {
    vi.mocked(lower).mockResolvedValue(new Map());
    const deployed = [at("cluster-a", 30), at("cluster-b", 30), { ...away, name: "cluster-c" }];
    await expect(prepare(deployed, 10, false, ["cluster-b"])).rejects.toThrow(
      "The weight is 10 % now in cluster-a and 0 % now in cluster-b.",
    );
  });

  it("takes no part when the others rise", async () => {
    const change = await prepare([at("cluster-a", 10), at("cluster-b", 0)], 30, false, [
      "cluster-b",
    ]);
    expect(Object.keys(hooksOf(change, "cluster-a") ?? {})).toContain("beforeUpdate");
    expect(replaces(change, "cluster-b")).toBeUndefined();
    await hook(change, "cluster-b")();
    expect(raiseWeights).not.toHaveBeenCalled();
  });
});

describe("a cluster that is away", () => {
  const to = (weight: number) => settings({ weight, away: ["cluster-b"] });
  const prepared = (has: number, weight: number) =>
    prepare([at("cluster-a", has)], weight, false, [], [], to(weight));

  it("is not read, lowered, checked or noted in; the others are", async () => {
    const change = await prepared(30, 0);
    expect(vi.mocked(readDeployed).mock.lastCall?.[0].map(({ name }) => name)).toEqual([
      "cluster-a",
    ]);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster }) => cluster.name)).toEqual(["cluster-a"]);
    expect(vi.mocked(writeNotes).mock.calls.map(([{ name }]) => name)).toEqual(["cluster-a"]);
    expect(planned(change, "cluster-b")).toMatchObject({ rises: false, falls: false });
  });

  it("lets a weight rise in the others, in all of which it is confirmed", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "it has risen" });
    const change = await prepared(10, 30);
    await hook(change, "cluster-a")();
    const [barrier] = vi.mocked(raiseWeights).mock.lastCall ?? [];
    expect(barrier?.clusters.map(({ name }) => name)).toEqual(["cluster-a"]);
    expect(barrier?.rises.map(({ changes }) => [...changes.keys()])).toEqual([["cluster-a"]]);
  });
});

describe("a cluster that is back with other versions than the others", () => {
  const run = vi.mocked(subsets.run);
  /** Both clusters, of which the second is to become like the first. */
  const from = (back: Partial<DeployedRoute>, weight: number) => {
    const { routes, ...cluster } = at("cluster-b", 0);
    const found = [...routes].map(([key, own]) => [key, { ...own, ...back }] as const);
    return prepare([at("cluster-a", weight), { ...cluster, routes: new Map(found) }], weight);
  };

  beforeEach(() => {
    run.mockReset().mockResolvedValue([]);
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
  });

  it.each(["cluster-a", "cluster-b"])(
    "lets the routes of %s change only once every Envoy of all clusters knows all versions",
    async (name) => {
      const change = await from({ stable: "v0", canary: "v1", weight: 10 }, 10);
      await hook(change, name)();
      expect(run.mock.calls.map(([{ cluster, canaries }]) => [cluster.name, canaries])).toEqual(
        ["cluster-a", "cluster-b"].map((each): unknown => [
          each,
          [expect.objectContaining({ canary: "v1" }), expect.objectContaining({ canary: "v2" })],
        ]),
      );
    },
  );

  it("changes nothing while one does not", async () => {
    const change = await from({ stable: "v0", canary: "v1", weight: 10 }, 10);
    run.mockResolvedValue([{ seen: "it lags", fix: "Wait.", mayHeal: false }]);
    await expect(hook(change, "cluster-b")()).rejects.toThrow(
      [
        "No route names a version yet, since not every Envoy knows what it would name:",
        " - cluster-a: every proxy holds the versions that routes begin to name: no, it lags. Wait.",
        " - cluster-b: every proxy holds the versions that routes begin to name: no, it lags. Wait.",
        "All requests go where they went. Fix it, then run pulumi up again.",
      ].join("\n"),
    );
    expect(raiseWeights).not.toHaveBeenCalled();
  });

  it("asks nobody where all have the same versions", async () => {
    await hook(await from({ weight: 0 }, 10), "cluster-b")();
    expect(run).not.toHaveBeenCalled();
  });
});

describe("a weight that has fallen", () => {
  const lowered = async () => {
    const change = await prepare([at("cluster-a", 30), at("cluster-b", 30)], 10);
    const [hook] = hooksOf(change, "cluster-a")?.afterUpdate ?? [];
    if (typeof hook !== "function") throw new Error("there is no hook after the update");
    await hook({ urn: "", id: "", name: "", type: "" });
  };

  it("is served by every Envoy before the command ends", async () => {
    vi.mocked(confirmWeights).mockResolvedValue({ routes: [], acknowledged: 0 });
    await expect(lowered()).resolves.toBeUndefined();
    expect(confirmWeights).toHaveBeenCalledTimes(2);
  });

  it("fails the command when Envoys do not follow, and names those of all clusters", async () => {
    vi.mocked(confirmWeights).mockImplementation(({ name }) =>
      Promise.reject(new Error(`an Envoy of ${name} serves 30 %`)),
    );
    await expect(lowered()).rejects.toThrow(
      [
        "The weight is 10 % now in cluster-a, cluster-b, but not every Envoy follows:",
        " - an Envoy of cluster-a serves 30 %",
        " - an Envoy of cluster-b serves 30 %",
      ].join("\n"),
    );
  });
});

describe("rules that a controller applies too", () => {
  const applied = (name: string, appliedBy: string | undefined) => {
    const cluster = at(name, 0);
    const routes = [...cluster.routes].map(
      ([key, route]) => [key, { ...route, appliedBy }] as const,
    );
    return { ...cluster, routes: new Map(routes) };
  };

  it("are told of with cluster and field manager, in a preview too", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockClear();
    const deployed = [applied("cluster-a", undefined), applied("cluster-b", "argocd-controller")];
    for (const preview of [true, false]) await prepare(deployed, 0, preview);
    const told = warn.mock.calls.map(([text]) => text).filter((text) => text.includes("applies"));
    const text = [
      "Somebody else applies the rules of this program's routes too:",
      " - cluster-b: VirtualService user/user-service, by field manager argocd-controller",
      "A weight that it writes over is taken back in all clusters.",
      "Have its owner take the VirtualService out of what it applies, or leave its spec alone (docs/existing-services.md#beside-a-controller).",
    ].join("\n");
    expect(told).toEqual([text, text]);
  });

  it("are named where a weight that has fallen rises again, and no Envoy is", async () => {
    const route = { ...at("cluster-b", 30).routes.get(KEY), writtenBy: "argocd-controller" };
    const read = vi
      .mocked(readRoute)
      .mockImplementation(({ name }) =>
        Promise.resolve(name === "cluster-b" ? (route as DeployedRoute) : undefined),
      );
    vi.mocked(confirmWeights).mockResolvedValue({ routes: [], acknowledged: 0 });
    const change = await prepare([at("cluster-a", 30), at("cluster-b", 30)], 0);
    const [confirm] = hooksOf(change, "cluster-a")?.afterUpdate ?? [];
    if (typeof confirm !== "function") throw new Error("it has no hook after its update");
    await expect(confirm({ urn: "", id: "", name: "", type: "" })).rejects.toThrow(
      /^The weight is 0 % now in cluster-a, cluster-b, but not every Envoy follows:\n - field manager argocd-controller has written VirtualService user\/user-service in cluster-b: v2 has 30 % there, not 0 %\. Have its owner [^\n]*$/,
    );
    read.mockReset();
  });
});

describe("a weight that is to rise", () => {
  it("is refused in a preview when it skips a phase", async () => {
    await expect(prepare([at("cluster-a", 0), at("cluster-b", 0)], 30, true)).rejects.toThrow(
      /^What is deployed does not allow this change \(Pulumi\.test\.yaml\):\n - weight: must rise/,
    );
  });

  it("is raised once, in all clusters, by the hook that comes first", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
    const change = await prepare([at("cluster-a", 0), at("cluster-b", 0)], 10);
    await Promise.all(["cluster-a", "cluster-b"].map((name) => hook(change, name)()));
    expect(raiseWeights).toHaveBeenCalledOnce();
    const { clusters, rises } = vi.mocked(raiseWeights).mock.calls[0]?.[0] ?? {};
    expect(clusters?.map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
    expect([...(rises?.[0]?.changes ?? [])].map(([name, { rules }]) => [name, rules])).toEqual(
      ["cluster-a", "cluster-b"].map((name) => [
        name,
        Reflect.get(planned(change, name).objects.weights.spec, "http") as unknown,
      ]),
    );
  });

  it("is checked while resources are registered, and again if one of them changes", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
    const change = await prepare([at("cluster-a", 10), at("cluster-b", 0)], 10);
    expect(ahead.look).toHaveBeenCalledOnce();
    expect(ahead.outdate).not.toHaveBeenCalled();
    // Nothing rises there, so its VirtualService changes in another way.
    await hook(change, "cluster-a")();
    expect(ahead.outdate).toHaveBeenCalledOnce();
    await hook(change, "cluster-b")();
    expect(ahead.outdate).toHaveBeenCalledOnce();
  });

  it.each([
    { what: "a preview", to: 10, preview: true },
    { what: "a weight that stays", to: 0, preview: false },
  ])("is not checked ahead in $what", async ({ to, preview }) => {
    const change = await prepare([at("cluster-a", 0), at("cluster-b", 0)], to, preview);
    expect(change.checksAhead).toBe(false);
    expect(ahead.look).not.toHaveBeenCalled();
  });

  it("fails every hook when it is not raised, and gives the reason once", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: false, text: "cluster-b: no" });
    const change = await prepare([at("cluster-a", 0), at("cluster-b", 0)], 10);
    const results = await Promise.allSettled(
      ["cluster-a", "cluster-b"].map((name) => hook(change, name)()),
    );
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(
      results.filter((result) => String(Reflect.get(result, "reason")).includes("cluster-b: no")),
    ).toHaveLength(1);
  });

  it("is raised only where it is lower, when an update stopped half-way", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
    const change = await prepare([at("cluster-a", 10), at("cluster-b", 0)], 10);
    await hook(change, "cluster-a")();
    expect(raiseWeights).not.toHaveBeenCalled();
    await hook(change, "cluster-b")();
    expect(raiseWeights).toHaveBeenCalledOnce();
    expect(replaces(change, "cluster-a")).toBeUndefined();
    expect(replaces(change, "cluster-b")).toBe("generation 4");
  });
});

describe("a canary that was taken back", () => {
  const CANARY = "v2 (registry.example.com/user-service:v2)";
  const failed = { reason: "slow", weight: 10, since: 5, at: 7 };
  const guard = {
    ...{ format: 1, at: 9, cluster: "cluster-b", startedAt: 1, release: `${KEY} ${CANARY}` },
    ...{ weight: 0, since: 8, failures: { consecutive: 1, total: 1 }, failed, contactAt: 9 },
    ...{ does: "lower", says: "slow" },
  };
  const configured = { format: 1, at: 3, weight: 10, canaries: { [KEY]: CANARY } };
  const zero = [at("cluster-a", 0), at("cluster-b", 0)];
  const warned = vi.spyOn(pulumi.log, "warn");

  beforeEach(() => {
    warned.mockReset().mockResolvedValue();
    vi.mocked(readNotes).mockImplementation(({ name }) =>
      Promise.resolve({
        "configured-test": JSON.stringify(configured),
        ...(name === "cluster-b" && { "guard-cluster-b": JSON.stringify(guard) }),
      }),
    );
  });

  it.each([{ preview: false }, { preview: true }])(
    "stays as it is where the config is as before, with a warning (preview: $preview)",
    async ({ preview }) => {
      const change = await prepare(zero, 10, preview);
      expect(change.plan.weight).toBe(0);
      expect(change.checksAhead).toBe(false);
      expect(hooksOf(change, "cluster-a")).toBeUndefined();
      expect(replaces(change, "cluster-a")).toBeUndefined();
      expect(warned).toHaveBeenCalledExactlyOnceWith(
        expect.stringMatching(/^The weight stays 0 % though the config has 10 %/),
      );
    },
  );

  it("is lowered where a cluster has not heard of it", async () => {
    const change = await prepare([at("cluster-a", 10), at("cluster-b", 0)], 10);
    expect(change.plan.weight).toBe(0);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster, weight }) => [cluster.name, weight])).toEqual([["cluster-a", 0]]);
  });

  it("is not raised by another config", async () => {
    vi.mocked(readNotes).mockResolvedValue({ "guard-cluster-b": JSON.stringify(guard) });
    await expect(prepare(zero, 10)).rejects.toThrow(
      / - weight: must not rise: this canary was taken back: the guard of cluster-b says: slow/,
    );
    expect(lower).not.toHaveBeenCalled();
  });

  it.each([{ preview: false }, { preview: true }])(
    "is told to rise unseen where a journal cannot be read (preview: $preview)",
    async ({ preview }) => {
      vi.mocked(readNotes).mockImplementation(({ name }) =>
        name === "cluster-b" ? Promise.reject(new Error("denied")) : Promise.resolve({}),
      );
      await prepare(zero, 10, preview);
      expect(warned).toHaveBeenCalledExactlyOnceWith(
        "cluster-b: what guards, rollouts and updates have noted cannot be read, so nobody knows whether it says that the canary was taken back: denied",
      );
      warned.mockClear();
      await prepare([at("cluster-a", 10), at("cluster-b", 10)], 0, preview);
      expect(warned).not.toHaveBeenCalled();
    },
  );

  it("does not rise where no journal can be read, and may be lowered", async () => {
    vi.mocked(readNotes).mockRejectedValue(new Error("denied"));
    await expect(prepare(zero, 10)).rejects.toThrow(
      " - weight: must not rise while no journal can be read, which says whether the canary was taken back: cluster-a: denied; cluster-b: denied",
    );
    await prepare([at("cluster-a", 10), at("cluster-b", 10)], 0);
    expect(lower).toHaveBeenCalledOnce();
  });

  it("is noted before anything else can fail, and not in a preview", async () => {
    await prepare(zero, 10, true);
    expect(writeNotes).not.toHaveBeenCalled();
    await prepare(zero, 10);
    const canaries = { [`${KEY} ${CANARY}`]: "the guard of cluster-b says: slow" };
    expect(vi.mocked(writeNotes).mock.calls.map(([, , owner, values]) => [owner, values])).toEqual(
      ["cluster-a", "cluster-b"].map(() => [
        "failed-test",
        { "failed-test": { format: 1, at: expect.any(Number) as number, canaries } },
      ]),
    );
    vi.mocked(readNotes).mockResolvedValue({
      "failed-test": JSON.stringify({ format: 1, at: 1, canaries }),
    });
    vi.mocked(writeNotes).mockClear();
    await prepare(zero, 0);
    expect(writeNotes).not.toHaveBeenCalled();
  });

  it("is noted later where a cluster was away, or has joined", async () => {
    const canaries = { [`${KEY} ${CANARY}`]: "the guard of cluster-b says: slow" };
    vi.mocked(readNotes).mockImplementation(({ name }) =>
      Promise.resolve<Record<string, string>>(
        name === "cluster-a"
          ? { "failed-test": JSON.stringify({ format: 1, at: 1, canaries }) }
          : {},
      ),
    );
    await prepare(zero, 0);
    expect(vi.mocked(writeNotes).mock.calls.map(([{ name }, , owner]) => [name, owner])).toEqual([
      ["cluster-b", "failed-test"],
    ]);
  });

  /** What is written into the notes, in this order, in cluster-a; `raise` where the weight rises. */
  function written() {
    const order: unknown[] = [];
    vi.mocked(writeNotes).mockImplementation(({ name }, namespace, owner, values) => {
      const { canaries, forgives } = values[owner] as {
        readonly canaries?: object;
        readonly forgives?: readonly string[];
      };
      if (name === "cluster-a") order.push([owner, namespace, canaries ?? forgives]);
      return name === "cluster-b" ? Promise.reject(new Error("denied")) : Promise.resolve();
    });
    vi.mocked(raiseWeights).mockImplementation(() => {
      order.push("raise");
      return Promise.resolve({ raised: true, text: "done" });
    });
    return order;
  }
  const takenBack = [
    "failed-test",
    "user",
    { [`${KEY} ${CANARY}`]: "the guard of cluster-b says: slow" },
  ];
  const forgotten = [
    ["retry", "user", ["cluster-b 7"]],
    ["failed-test", "user", {}],
  ];

  it("is raised if that is allowed, after the guards were told to forget it", async () => {
    const order = written();
    const change = await prepare(zero, 10, false, [], ["retry-canary"]);
    expect(order).toEqual([takenBack]);
    warned.mockClear();
    await hook(change, "cluster-a")();
    expect(order).toEqual([takenBack, ...forgotten, "raise"]);
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      "cluster-b: that the canary is tried again could not be noted, so a guard may take it back at once: denied",
    );
  });

  it("stays noted where it could not be raised, though the guards have forgotten it", async () => {
    const order = written();
    const change = await prepare(zero, 10, false, [], ["retry-canary"]);
    vi.mocked(raiseWeights).mockResolvedValue({ raised: false, text: "a pod is not ready" });
    await expect(hook(change, "cluster-a")()).rejects.toThrow("a pod is not ready");
    expect(order).toEqual([takenBack, ...forgotten, takenBack]);
  });
});

describe("an update that is complete", () => {
  const CANARY = "v2 (registry.example.com/user-service:v2)";
  const warned = vi.spyOn(pulumi.log, "warn");

  const QUARANTINED = [at("cluster-a", 10), at("cluster-b", 0)];
  const NOTHING = QUARANTINED.map((cluster) => ({ ...cluster, routes: new Map() }));

  /** What is noted by an update without a change of the weight, by cluster. */
  async function noted(
    preview = false,
    deployed = QUARANTINED,
    fails = false,
    hasFailed?: () => boolean,
    allow: readonly Exception[] = ["skip-phase"],
  ) {
    const change = await prepare(deployed, 10, preview, ["cluster-b"], allow);
    const registrations = ["cluster-a", "cluster-b"].map((name) => {
      const route = planned(change, name);
      const weights = new k8s.apiextensions.CustomResource(name, { ...route.objects.weights });
      if (!fails) return { route, weights };
      const urn = pulumi.output(Promise.reject<string>(new Error("refused by a webhook")));
      return { route, weights: { urn } as unknown as typeof weights };
    });
    await new Promise((resolve) => {
      change.complete(registrations, hasFailed).apply(resolve);
    });
    return vi
      .mocked(writeNotes)
      .mock.calls.map(([{ name }, namespace, owner, values]) => [name, namespace, owner, values]);
  }
  const note = (weight: number) => ({
    "configured-test": {
      ...{ format: 1, at: expect.any(Number) as number, weight },
      canaries: { [KEY]: CANARY },
      made: [KEY],
    },
  });

  beforeEach(() => {
    warned.mockReset().mockResolvedValue();
  });

  it("notes what it has configured in each cluster, in quarantine 0", async () => {
    expect(await noted()).toEqual([
      ["cluster-a", "user", "configured-test", note(10)],
      ["cluster-b", "user", "configured-test", note(0)],
    ]);
    expect(warned).not.toHaveBeenCalled();
  });

  it("notes the first configuration once its VirtualServices are made", async () => {
    made.length = 0;
    vi.mocked(writeNotes).mockImplementation(() => {
      expect(made).toEqual(["cluster-a", "cluster-b"]);
      return Promise.resolve();
    });
    // The weight is in force nowhere yet: only that of the cluster in quarantine is noted.
    expect((await noted(false, NOTHING)).map(([name]) => name)).toEqual(["cluster-b"]);
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      "Routes are made with 0 % for the canary: user/user-service in cluster-a. Run pulumi up once more: then it rises there to 10 %, with all checks.",
    );
  });

  it("notes that retry-canary is used up, until it is allowed no more", async () => {
    const earlier = (retries: boolean) => ({
      "configured-test": JSON.stringify({
        ...{ format: 1, at: 1, weight: 10, canaries: { [KEY]: CANARY }, made: [KEY], retries },
      }),
    });
    const retriesNoted = async (allow: readonly Exception[], retries: boolean) => {
      vi.mocked(writeNotes).mockClear();
      vi.mocked(readNotes).mockResolvedValue(earlier(retries));
      await noted(false, QUARANTINED, false, undefined, ["skip-phase", ...allow]);
      return vi.mocked(writeNotes).mock.calls.flatMap(([{ name }, , , values]) => {
        const { retries: used } = values["configured-test"] as { readonly retries?: boolean };
        return name === "cluster-a" ? [used ?? false] : [];
      });
    };
    expect(await retriesNoted(["retry-canary"], true)).toEqual([]);
    expect(await retriesNoted([], true)).toEqual([false]);
    expect(await retriesNoted(["retry-canary"], false)).toEqual([]);
  });

  it("notes nothing if one of them is not made", async () => {
    expect(await noted(false, NOTHING, true)).toEqual([]);
  });

  it("notes nothing if somebody has lowered the weight while Pulumi wrote it", async () => {
    expect(await noted(false, QUARANTINED, false, () => true)).toEqual([]);
  });

  it("notes at once what it has lowered, before anything else can fail", async () => {
    vi.mocked(lower).mockResolvedValue(new Map([["cluster-b", "denied"]]));
    await expect(prepare([at("cluster-a", 30), at("cluster-b", 30)], 10)).rejects.toThrow("denied");
    expect(vi.mocked(writeNotes).mock.calls.map(([{ name }]) => name)).toEqual(["cluster-a"]);
    expect(vi.mocked(writeNotes).mock.calls[0]?.[3]).toEqual(note(10));
    expect(warned).not.toHaveBeenCalled();
  });

  it("writes nothing where that is noted already, or in a preview", async () => {
    vi.mocked(readNotes).mockResolvedValue({
      "configured-test": JSON.stringify({
        ...{ format: 1, at: 1, weight: 10, canaries: { [KEY]: CANARY }, made: [KEY] },
      }),
    });
    expect((await noted()).map(([name]) => name)).toEqual(["cluster-b"]);
    vi.mocked(writeNotes).mockClear();
    expect(await noted(true)).toEqual([]);
  });

  it("succeeds without a right to read or write notes, and says so", async () => {
    vi.mocked(readNotes).mockRejectedValue(new Error("forbidden"));
    vi.mocked(writeNotes).mockRejectedValue(new Error("forbidden"));
    await noted();
    expect(warned.mock.calls.map(([text]) => text)).toEqual(
      ["cluster-a", "cluster-b"].map(
        (name) =>
          `${name}: what is configured could not be noted, so the next update does not see whether the weight is a new one: forbidden`,
      ),
    );
  });
});

describe("an update that leaves VirtualServices out", () => {
  /** What the state of a VirtualService says. */
  const inputs = (weight: number) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "user-service", annotations: {} },
    spec: {
      http: [
        {
          route: [
            { destination: { subset: "v1" }, weight: 100 - weight },
            { destination: { subset: "v2" }, weight },
          ],
        },
      ],
    },
  });

  /** What the stack's output tells after an update; for what is left out the engine returns its state. */
  async function complete(
    from: number,
    to: number,
    left: readonly string[],
    { preview = false } = {},
  ): Promise<string | undefined> {
    vi.mocked(lower).mockResolvedValue(new Map());
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
    const names = ["cluster-a", "cluster-b"];
    const change = await prepare(
      names.map((name) => at(name, from)),
      to,
      preview,
    );
    const registrations = names.map((name) => {
      const route = planned(change, name);
      const next = route.objects.weights;
      const args = left.includes(name) ? { ...next, old: inputs(from) } : next;
      return { route, weights: new k8s.apiextensions.CustomResource(name, args) };
    });
    return new Promise((resolve) => {
      pulumi
        .recover(
          change.complete(registrations).apply((): string | undefined => undefined),
          (error: unknown) => String(error),
        )
        .apply(resolve);
    });
  }
  const warned = vi.spyOn(pulumi.log, "warn");

  beforeEach(() => {
    warned.mockReset().mockResolvedValue();
  });

  it.each([{ preview: false }, { preview: true }])(
    "fails when the weight has risen nowhere (preview: $preview)",
    async (mode) => {
      expect(await complete(0, 10, ["cluster-a", "cluster-b"], mode)).toBe(
        [
          "Error: This update leaves out VirtualServices that have to change (--target or --exclude). They stay as they are:",
          " - cluster-a: user/user-service has v1 100 % / v2 0 % instead of v1 90 % / v2 10 %",
          " - cluster-b: user/user-service has v1 100 % / v2 0 % instead of v1 90 % / v2 10 %",
          "Run pulumi up without --target and --exclude.",
        ].join("\n"),
      );
    },
  );

  it("notes what is configured only if it is in force", async () => {
    await complete(0, 10, ["cluster-a", "cluster-b"]);
    expect(writeNotes).not.toHaveBeenCalled();
    await complete(0, 10, ["cluster-b"]);
    expect(writeNotes).toHaveBeenCalledTimes(2);
  });

  it("warns when one of them has raised all, for Pulumi's state lags behind", async () => {
    expect(await complete(0, 10, ["cluster-b"])).toBeUndefined();
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining("leaves out the VirtualService of user/user-service in cluster-b ("),
    );
  });

  it("warns when the weight has fallen, which it does in any case, in every Envoy", async () => {
    expect(await complete(30, 0, ["cluster-a", "cluster-b"])).toBeUndefined();
    expect(warned).toHaveBeenCalledOnce();
    expect(confirmWeights).toHaveBeenCalledTimes(2);
    expect(await complete(30, 0, ["cluster-a", "cluster-b"], { preview: true })).toBeUndefined();
    expect(confirmWeights).toHaveBeenCalledTimes(2);
  });

  it("says nothing when nothing is left out, or nothing was to change", async () => {
    expect(await complete(0, 10, [])).toBeUndefined();
    expect(await complete(10, 10, ["cluster-a", "cluster-b"])).toBeUndefined();
    expect(warned).not.toHaveBeenCalled();
  });
});

describe("what stable needs to take everything back", () => {
  const counted = (name: string, weight: number, pods: number): DeployedCluster => {
    const cluster = at(name, weight);
    const routes = [...cluster.routes].map(
      ([key, route]) => [key, { ...route, replicas: { v1: pods } }] as const,
    );
    return { ...cluster, routes: new Map(routes) };
  };
  const noted = (pods: number, most = pods) => ({
    "needed-user-service": JSON.stringify({
      ...{ format: 1, at: 1, key: KEY, stable: "v1", pods, most },
    }),
  });
  const notes = () =>
    vi
      .mocked(writeNotes)
      .mock.calls.filter(([, , owner]) => owner === "needed-user-service")
      .map(([, namespace, owner, values]) => [namespace, values[owner]]);

  it("is noted when a canary begins, and not in a preview", async () => {
    await prepare([counted("cluster-a", 0, 7), counted("cluster-b", 0, 9)], 10, true);
    expect(notes()).toEqual([]);
    await prepare([counted("cluster-a", 0, 7), counted("cluster-b", 0, 9)], 10);
    expect(notes()).toEqual([
      ["user", expect.objectContaining({ key: KEY, stable: "v1", pods: 7, most: 5 })],
      ["user", expect.objectContaining({ key: KEY, stable: "v1", pods: 9, most: 5 })],
    ]);
  });

  it("stays as it was noted, though an autoscaler has taken pods away", async () => {
    vi.mocked(readNotes).mockResolvedValue(noted(20, 5));
    const change = await prepare([counted("cluster-a", 10, 2), counted("cluster-b", 10, 2)], 10);
    expect(change.plan.routes.map(({ needed }) => needed?.pods)).toEqual([20, 20]);
    expect(notes()).toEqual([]);
  });

  it("warns where it cannot be noted", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    vi.mocked(writeNotes).mockRejectedValue(new Error("forbidden"));
    await prepare([counted("cluster-a", 0, 7), at("cluster-b", 0)], 10);
    expect(warn).toHaveBeenCalledWith(
      "cluster-a: how many pods user/user-service needs for all requests could not be noted, so nobody knows it once stable has fewer: forbidden",
    );
  });

  it("is not taken away while the canary serves, unless that is allowed", async () => {
    vi.mocked(readNotes).mockResolvedValue(noted(7));
    const deployed = [counted("cluster-a", 10, 7), counted("cluster-b", 10, 7)];
    await expect(prepare(deployed, 10)).rejects.toThrow(
      "services[0].stable.replicas: must be at least 7 until the canary is promoted or its weight is 0: with so many pods v1 of user/user-service served all requests, and must be able to take them back (cluster-a, cluster-b), got 5. " +
        "Change it after the release. If you mean it: pulumi config set --path 'allow[0]' shrink-stable",
    );
    await expect(prepare(deployed, 10, false, [], ["shrink-stable"])).resolves.toBeDefined();
    // What somebody has added by hand is not configured, and nobody takes it away.
    vi.mocked(readNotes).mockResolvedValue(noted(7, 5));
    await expect(prepare(deployed, 10)).resolves.toBeDefined();
  });

  it("is told of where somebody else's autoscaler has taken pods away, as the canary rises", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockReset().mockResolvedValue();
    vi.mocked(readNotes).mockResolvedValue(noted(20));
    const { services, ...rest } = settings({ weight: 30 });
    const external = services.map((service) => ({ ...service, autoscaling: { external: true } }));
    const deployed = [counted("cluster-a", 10, 2), counted("cluster-b", 10, 20)];
    await prepare(deployed, 30, true, [], [], { ...rest, services: external });
    expect(warn.mock.calls).toEqual([
      [
        "cluster-a: v1 of user/user-service has 2 pods, and had 20 when the canary began, which all requests need if the canary is taken back. Have its autoscaler keep so many until the canary is promoted.",
      ],
    ]);
  });

  describe("of a service that others have made", () => {
    const existing = (name: string, weight: number): DeployedCluster => {
      const cluster = at(name, weight);
      const routes = [...cluster.routes].map(
        ([key, route]) => [key, { ...route, existing: true }] as const,
      );
      return { ...cluster, routes: new Map(routes) };
    };
    const rise = async (weight: number, to: number, pods: readonly [number, number]) => {
      vi.mocked(existingFindings).mockImplementation(
        (_settings, _clusters, _deployed, { routes }) =>
          Promise.resolve({
            ...{ problems: [], warnings: [] },
            stablePods: new Map(routes.map((route, i) => [route, pods[i] ?? 0])),
          }),
      );
      const deployed = [existing("cluster-a", weight), existing("cluster-b", weight)];
      return prepare(deployed, to, false, [], [], existingSettings({}, to));
    };

    it("is what of stable's pods is ready when the canary begins", async () => {
      await rise(0, 10, [7, 9]);
      expect(notes()).toEqual([
        ["user", expect.objectContaining({ key: KEY, stable: "v1", pods: 7 })],
        ["user", expect.objectContaining({ key: KEY, stable: "v1", pods: 9 })],
      ]);
    });

    it("is compared with what its owner has left of them, as the canary rises", async () => {
      const warn = vi.spyOn(pulumi.log, "warn").mockReset().mockResolvedValue();
      vi.mocked(readNotes).mockResolvedValue(noted(9));
      const change = await rise(10, 30, [3, 9]);
      expect(change.plan.routes.map(({ needed }) => needed?.pods)).toEqual([9, 9]);
      expect(notes()).toEqual([]);
      expect(warn.mock.calls.map(([text]) => text)).toContain(
        "cluster-a: v1 of user/user-service has 3 pods, and had 9 when the canary began, which all requests need if the canary is taken back. Have its owner or their autoscaler keep so many until the canary is promoted.",
      );
      expect(warn.mock.calls.map(([text]) => text)).not.toContainEqual(
        expect.stringContaining("cluster-b: v1"),
      );
    });
  });

  it("keeps no weight from falling", async () => {
    vi.mocked(readNotes).mockResolvedValue(noted(7));
    const deployed = [counted("cluster-a", 10, 7), counted("cluster-b", 10, 7)];
    await expect(prepare(deployed, 0)).rejects.toThrow(
      /The weight is 0 % now in cluster-a, cluster-b\. [^]*must be at least 7/,
    );
    expect(lower).toHaveBeenCalledTimes(1);
  });
});

describe("a cluster that is to be drained", () => {
  it("keeps a preview from passing, and no lower weight, while the others lack pods", async () => {
    const problem = { path: "away[0].drain", value: true, rule: "must wait", fix: "Wait." };
    const drained = new DrainedClusters(undefined);
    vi.spyOn(drained, "problems").mockResolvedValue([problem]);
    const to = settings({ weight: 0, away: [{ name: "cluster-b", drain: true }] });
    for (const preview of [true, false]) {
      await expect(prepare([at("cluster-a", 10)], 0, preview, [], [], to, drained)).rejects.toThrow(
        " - away[0].drain: must wait, got true. Wait.",
      );
    }
    expect(lower).toHaveBeenCalledOnce();
  });
});

describe("what safety.exclude leaves of those that confirm", () => {
  it("is told in a preview and in an update, and holds no lower weight up", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockReset().mockResolvedValue();
    vi.mocked(exclusionWarnings).mockResolvedValue(["only gateways"]);
    const deployed = [at("cluster-a", 10), at("cluster-b", 10)];
    for (const preview of [true, false]) {
      warn.mockClear();
      await prepare(deployed, 30, preview);
      expect(warn.mock.calls.map(([text]) => text)).toContain("only gateways");
    }
    vi.mocked(exclusionWarnings).mockClear();
    await prepare(deployed, 0);
    expect(exclusionWarnings).not.toHaveBeenCalled();
  });
});
