import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { confirmRules } from "../../../fleet/confirm-rules.ts";
import { lower } from "../../../fleet/lower.ts";
import { raiseWeights } from "../../../fleet/raise-weights.ts";
import { readDeployed } from "../../../fleet/read-deployed.ts";
import type { DeployedCluster, DeployedRoute } from "../../../lib/deployed.ts";
import { WeightChange } from "../../../stacks/weight-change.ts";
import { settings } from "../../helpers/fixtures.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: () => Promise.resolve({}),
  writeNotes: () => Promise.resolve(),
}));
vi.mock(import("../../../fleet/confirm-rules.ts"), () => ({
  confirmRules: vi.fn<typeof confirmRules>(),
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

const ENTRY = "user/user-service";
const FOLLOWER = "user/order-service";
const size = { clusters: 2, services: 3, chain: true };

describe("a weight of a chain", () => {
  const members = [ENTRY, FOLLOWER, "user/stock-service"];

  /** A cluster whose entry has the weight, and whose followers follow; or other versions of them. */
  function at(
    name: string,
    weight: number,
    versions: Partial<DeployedRoute> = {},
  ): DeployedCluster {
    const route = {
      stable: "v1",
      canary: "v2",
      generation: 4,
      replaces: undefined,
      rules: [],
      images: {},
      ...versions,
    };
    const mark = "x-istio-canary and baggage istio-canary";
    const follower = { ...route, weight: 0, role: "follower" as const };
    return {
      name,
      unreachable: undefined,
      routes: new Map<string, DeployedRoute>([
        [ENTRY, { ...route, weight, role: "entry", members, mark }],
        [FOLLOWER, follower],
        ["user/stock-service", follower],
      ]),
    };
  }

  async function prepared(
    from: number,
    to: number,
    versions?: Partial<DeployedRoute>,
  ): Promise<WeightChange> {
    await pulumi.runtime.setMocks({
      call: () => ({}),
      newResource: ({ name }) => ({ id: name, state: {} }),
    });
    vi.mocked(readDeployed).mockResolvedValue(
      ["cluster-a", "cluster-b"].map((name) => at(name, from, versions)),
    );
    return WeightChange.prepare(settings({ ...size, weight: to }));
  }

  const run = async (change: WeightChange, key: string) => {
    const route = change.plan.routes.find(
      (each) => each.cluster === "cluster-a" && each.key === key,
    );
    if (!route) throw new Error(`nothing is planned for ${key}`);
    for (const hook of change.hooks(route)?.beforeUpdate ?? []) {
      if (typeof hook === "function") await hook({ urn: "", id: "", name: "", type: "" });
    }
  };

  beforeEach(() => {
    vi.mocked(lower).mockReset().mockResolvedValue(new Map());
    vi.mocked(raiseWeights).mockReset().mockResolvedValue({ raised: true, text: "done" });
    vi.mocked(confirmRules).mockReset().mockResolvedValue(undefined);
  });

  it("rises after every Envoy of all clusters follows the mark, with all canaries in the barrier", async () => {
    const change = await prepared(0, 10);
    vi.mocked(confirmRules).mockImplementation(() => {
      expect(raiseWeights).not.toHaveBeenCalled();
      return Promise.resolve();
    });
    await run(change, ENTRY);
    const confirmed = vi
      .mocked(confirmRules)
      .mock.calls.map(([cluster, rules]) => [cluster.name, rules.map(({ key }) => key)]);
    expect(confirmed).toEqual([
      ["cluster-a", members.slice(1)],
      ["cluster-b", members.slice(1)],
    ]);
    const { rises, chain } = vi.mocked(raiseWeights).mock.calls[0]?.[0] ?? {};
    expect(rises?.map(({ service }) => service)).toEqual(["user-service"]);
    expect(chain?.followers.map(({ service }) => service)).toEqual([
      "order-service",
      "stock-service",
    ]);
    expect(chain?.probe).toMatchObject({
      path: "/",
      requests: 5,
      mark: { header: "x-istio-canary" },
    });
  });

  it("does not rise where an Envoy does not follow the mark, which is named", async () => {
    vi.mocked(confirmRules).mockRejectedValueOnce(
      new Error("client/load still has the old routes of user/order-service"),
    );
    const change = await prepared(0, 10);
    await expect(run(change, ENTRY)).rejects.toThrow(
      /The weight has risen in no cluster.*\n - client\/load still has the old routes of user\/order-service\n/,
    );
    expect(raiseWeights).not.toHaveBeenCalled();
  });

  it("falls at the entry alone, and waits for no follower", async () => {
    const change = await prepared(30, 0);
    const [falls] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls?.map(({ service }) => service)).toEqual(["user-service", "user-service"]);
    await run(change, ENTRY);
    expect(confirmRules).not.toHaveBeenCalled();
  });

  it("has the entry wait for the followers when it stays, for instance in a promotion", async () => {
    const change = await prepared(10, 10);
    await run(change, FOLLOWER);
    expect(confirmRules).not.toHaveBeenCalled();
    await run(change, ENTRY);
    expect(confirmRules).toHaveBeenCalledTimes(2);
  });

  it("has the followers wait for the entry when a promotion is taken back", async () => {
    const change = await prepared(0, 100, { stable: "v2", canary: undefined });
    expect(change.plan.firstRole).toBe("entry");
    await run(change, ENTRY);
    expect(confirmRules).not.toHaveBeenCalled();
    await run(change, FOLLOWER);
    const keys = vi.mocked(confirmRules).mock.calls.map(([, rules]) => rules.map(({ key }) => key));
    expect(keys).toEqual([[ENTRY], [ENTRY]]);
  });
});
