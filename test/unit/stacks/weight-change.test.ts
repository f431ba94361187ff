import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { lower } from "../../../fleet/lower.ts";
import { raiseWeights } from "../../../fleet/raise-weights.ts";
import { readDeployed } from "../../../fleet/read-deployed.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import { WeightChange } from "../../../stacks/weight-change.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));
vi.mock(import("../../../fleet/lower.ts"), () => ({ lower: vi.fn<typeof lower>() }));
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
    http: [{ old: weight }],
    images: {},
  };
  return { name, unreachable: undefined, routes: new Map([[KEY, route]]) };
}
const away: DeployedCluster = {
  name: "cluster-b",
  unreachable: "no answer in time",
  routes: new Map(),
};

/** The change from what is deployed to a weight, in an update or in a preview. */
async function prepare(
  deployed: readonly DeployedCluster[],
  weight: number,
  preview = false,
  quarantine: readonly string[] = [],
): Promise<WeightChange> {
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
    },
    "istio-canary",
    "test",
    preview,
  );
  vi.mocked(readDeployed).mockResolvedValue(deployed);
  return WeightChange.prepare(settings({ weight, quarantine }));
}

function hook(change: WeightChange, cluster: string): () => Promise<void> {
  const [found] = change.hooks(cluster, KEY)?.beforeUpdate ?? [];
  if (typeof found !== "function") throw new Error(`${cluster} has no hook before its update`);
  return async () => {
    await found({ urn: "", id: "", name: "", type: "" });
  };
}

beforeEach(() => {
  vi.mocked(lower).mockReset().mockResolvedValue(new Map());
  vi.mocked(raiseWeights).mockReset();
});

describe("a weight that is to fall", () => {
  it("is lowered before anything is registered, in every cluster that has more", async () => {
    await prepare([at("cluster-a", 30), at("cluster-b", 10)], 10);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster, weight }) => [cluster.name, weight])).toEqual([
      ["cluster-a", 10],
    ]);
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
        "Mend cluster-b, then run pulumi up again: it makes all clusters the same.",
      ].join("\n"),
    );
    expect(vi.mocked(lower).mock.calls[0]?.[0]).toHaveLength(1);
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
    expect(Object.keys(change.hooks("cluster-a", KEY) ?? {})).toEqual(["afterUpdate"]);
  });
});

describe("a cluster in quarantine", () => {
  it("is lowered at once, and the others stay", async () => {
    const change = await prepare([at("cluster-a", 30), at("cluster-b", 30)], 30, false, [
      "cluster-b",
    ]);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ cluster, weight }) => [cluster.name, weight])).toEqual([["cluster-b", 0]]);
    expect(change.replaces("cluster-a", KEY)).toBeUndefined();
    expect(change.replaces("cluster-b", KEY)).toBe("generation 4");
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
    expect(Object.keys(change.hooks("cluster-a", KEY) ?? {})).toContain("beforeUpdate");
    expect(change.hooks("cluster-b", KEY)).toBeUndefined();
    expect(change.replaces("cluster-b", KEY)).toBeUndefined();
  });
});

describe("a weight that is to rise", () => {
  const declared = (change: WeightChange) => {
    for (const cluster of ["cluster-a", "cluster-b"]) change.declare(cluster, KEY, [{ new: 10 }]);
    return change;
  };

  it("is refused in a preview when it skips a phase", async () => {
    await expect(prepare([at("cluster-a", 0), at("cluster-b", 0)], 30, true)).rejects.toThrow(
      /^What is deployed does not allow this change \(Pulumi\.test\.yaml\):\n - weight: must rise/,
    );
  });

  it("is raised once, in all clusters, by the hook that comes first", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: true, text: "done" });
    const change = declared(await prepare([at("cluster-a", 0), at("cluster-b", 0)], 10));
    await Promise.all(["cluster-a", "cluster-b"].map((name) => hook(change, name)()));
    expect(raiseWeights).toHaveBeenCalledOnce();
    const [clusters, rises] = vi.mocked(raiseWeights).mock.calls[0] ?? [];
    expect(clusters?.map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
    expect([...(rises?.[0]?.changes ?? [])].map(([name, { http }]) => [name, http])).toEqual([
      ["cluster-a", [{ new: 10 }]],
      ["cluster-b", [{ new: 10 }]],
    ]);
  });

  it("fails every hook when it is not raised, and gives the reason once", async () => {
    vi.mocked(raiseWeights).mockResolvedValue({ raised: false, text: "cluster-b: no" });
    const change = declared(await prepare([at("cluster-a", 0), at("cluster-b", 0)], 10));
    const results = await Promise.allSettled(
      ["cluster-a", "cluster-b"].map((name) => hook(change, name)()),
    );
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(
      results.filter((result) => String(Reflect.get(result, "reason")).includes("cluster-b: no")),
    ).toHaveLength(1);
  });

  it("is raised only where it is lower, when an update stopped half-way", async () => {
    const change = await prepare([at("cluster-a", 10), at("cluster-b", 0)], 10);
    expect(change.hooks("cluster-a", KEY)).toBeUndefined();
    expect(Object.keys(change.hooks("cluster-b", KEY) ?? {})).toEqual([
      "beforeCreate",
      "beforeUpdate",
    ]);
    expect(change.replaces("cluster-a", KEY)).toBeUndefined();
    expect(change.replaces("cluster-b", KEY)).toBe("generation 4");
  });
});
