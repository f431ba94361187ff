import { beforeEach, describe, expect, it, vi } from "vitest";

import { Barrier, type ChainOfRise } from "../../../fleet/barrier.ts";
import { probeChain, type ChainProbe } from "../../../fleet/chain/probe-chain.ts";
import type { Rise } from "../../../fleet/checks/check.ts";
import { runChecks } from "../../../fleet/checks/index.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
import { Transient } from "../../../fleet/explain.ts";
import { lower } from "../../../fleet/lower.ts";
import { raiseWeights } from "../../../fleet/raise-weights.ts";
import { readRoute } from "../../../fleet/read-deployed.ts";
import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";
import type { DeployedRoute } from "../../../lib/deployed.ts";
import { MAY_HEAL } from "../../../lib/may-heal.ts";
import { checkLimits } from "../../helpers/check-limits.ts";

vi.mock(import("../../../fleet/checks/index.ts"), async (original) => ({
  ...(await original()),
  runChecks: vi.fn<typeof runChecks>(),
}));
vi.mock(import("../../../fleet/chain/probe-chain.ts"), () => ({
  probeChain: vi.fn<typeof probeChain>(),
}));
vi.mock(import("../../../fleet/confirm.ts"), () => ({
  confirmWeights: vi.fn<typeof confirmWeights>(),
}));
vi.mock(import("../../../fleet/lower.ts"), () => ({ lower: vi.fn<typeof lower>() }));
vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readRoute: vi.fn<typeof readRoute>(),
}));
vi.mock(import("../../../fleet/routing/istio/write-routes.ts"), async (original) => ({
  ...(await original()),
  writeRoutes: vi.fn<typeof writeRoutes>(),
}));

const limits = { ...checkLimits, checkWithinMs: 5000 };
const names = ["cluster-a", "cluster-b"];
const clusters = names.map((name) => ({ name }) as ClusterClient);

function route(weight: number, version: number): DeployedRoute {
  return {
    stable: "v1",
    canary: "v2",
    weight,
    generation: version,
    resourceVersion: String(version),
    replaces: undefined,
    rules: [{ weight }],
    images: {},
  };
}

const rise: Rise = {
  service: "user-service",
  namespace: "user",
  canary: "v2",
  weight: 30,
  quarantine: [],
  host: "user-service.user.svc.cluster.local",
  hosts: [],
  changes: new Map(names.map((name) => [name, { route: route(10, 7), rules: [{ weight: 30 }] }])),
};

const raise = (chain?: ChainOfRise) => raiseWeights(new Barrier(clusters, [rise], limits, chain));

/** What is in the API servers now, by cluster, and every write that they were sent. */
let now: Record<string, DeployedRoute>;
let writes: { cluster: string; http: unknown; replacing: unknown; fence?: true }[];

beforeEach(() => {
  now = Object.fromEntries(names.map((name) => [name, route(10, 7)]));
  writes = [];
  vi.mocked(runChecks).mockReset().mockResolvedValue([]);
  vi.mocked(lower).mockReset().mockResolvedValue(new Map());
  vi.mocked(confirmWeights).mockReset().mockResolvedValue({ routes: [], acknowledged: 0 });
  vi.mocked(readRoute).mockImplementation(({ name }) => Promise.resolve(now[name]));
  vi.mocked(writeRoutes).mockImplementation(({ name }, _service, http, options) => {
    const { replacing, fence } = options ?? {};
    writes.push({ cluster: name, http, replacing, ...(fence && { fence }) });
    const [{ weight }] = http as [{ weight: number }];
    now[name] = route(weight, 8);
    return Promise.resolve();
  });
});

describe("raiseWeights", () => {
  it("writes in every cluster the state that replaces what was read", async () => {
    const { raised } = await raise();
    expect(raised).toBe(true);
    expect(writes).toEqual(
      names.map((cluster) => ({ cluster, http: [{ weight: 30 }], replacing: "7" })),
    );
  });

  it("says who was left out in which cluster", async () => {
    vi.mocked(confirmWeights).mockImplementation(({ name }) =>
      Promise.resolve({
        ...{ routes: [], acknowledged: 0 },
        ...(name === "cluster-b" && { leftOut: "3 that safety.exclude names" }),
      }),
    );
    const { text } = await raise();
    expect(text).toBe(
      "v2 of user/user-service from 10 % to 30 % in cluster-a, cluster-b: no Envoy routes to it.\nLeft out in cluster-b: 3 that safety.exclude names.",
    );
  });

  it("writes nowhere when one cluster fails a check", async () => {
    vi.mocked(runChecks).mockImplementation(({ cluster }) =>
      Promise.resolve(
        cluster.name === "cluster-b"
          ? [{ line: "it is day: no, it is night.", mayHeal: false }]
          : [],
      ),
    );
    const { raised, text } = await raise();
    expect(raised).toBe(false);
    expect(text).toContain(
      "The weight has risen in no cluster:\n - cluster-b: it is day: no, it is night.",
    );
    expect(writes).toEqual([]);
  });

  it("says that it may heal where nothing else speaks against it", async () => {
    const night = (mayHeal: boolean) => [{ line: "it is day: no, it is night.", mayHeal }];
    vi.mocked(runChecks).mockResolvedValue(night(false));
    expect((await raise()).text).not.toContain(MAY_HEAL);
    vi.mocked(runChecks).mockResolvedValue(night(true));
    vi.useFakeTimers();
    try {
      const report = raise();
      await vi.advanceTimersByTimeAsync(limits.checkWithinMs + 60_000);
      expect((await report).text).toContain(MAY_HEAL);
    } finally {
      vi.useRealTimers();
    }
    vi.mocked(runChecks).mockResolvedValue([]);
    vi.mocked(confirmWeights).mockRejectedValue(new Error("user/client serves 10 %"));
    expect((await raise()).text).not.toContain(MAY_HEAL);
    vi.mocked(confirmWeights).mockRejectedValue(new Transient("user/client does not answer"));
    expect((await raise()).text).toContain(MAY_HEAL);
  });

  it("looks at all clusters again when one heals, and probes a chain again in each look", async () => {
    vi.mocked(probeChain).mockResolvedValue([]);
    const looks: string[] = [];
    vi.mocked(runChecks).mockImplementation(async ({ cluster, probe }) => {
      looks.push(cluster.name);
      await probe?.();
      const isNight = cluster.name === "cluster-b" && looks.length <= names.length;
      return isNight ? [{ line: "it is day: no, it is night.", mayHeal: true }] : [];
    });
    const chain = { followers: [], probe: {} as ChainProbe };
    vi.useFakeTimers();
    try {
      const report = raise(chain);
      await vi.advanceTimersByTimeAsync(limits.checkWithinMs);
      expect((await report).raised).toBe(true);
    } finally {
      vi.useRealTimers();
    }
    expect(looks).toEqual([...names, ...names]);
    expect(probeChain).toHaveBeenCalledTimes(2);
  });

  it("gives every cluster its weight back when an Envoy does not follow", async () => {
    vi.mocked(confirmWeights).mockRejectedValue(new Error("user/client serves 10 %"));
    const { text } = await raise();
    expect(text).toContain("The weight was taken back in all clusters:");
    expect(text).toContain(" - cluster-a: serving the weight: user/client serves 10 %");
    expect(writes.slice(2)).toEqual(
      names.map((cluster) => ({ cluster, http: [{ weight: 10 }], replacing: "8" })),
    );
  });

  it("does not ask a cluster again that could not be taken back, and says what it may have", async () => {
    vi.mocked(writeRoutes).mockImplementation(({ name }) =>
      name === "cluster-b" ? Promise.reject(new Error("no answer in time")) : Promise.resolve(),
    );
    vi.mocked(readRoute).mockImplementation(({ name }) =>
      name === "cluster-b" ? Promise.reject(new Error("still none")) : Promise.resolve(now[name]),
    );
    vi.useFakeTimers();
    try {
      const report = raise();
      await vi.advanceTimersByTimeAsync(60_000);
      const { text } = await report;
      expect(text).toContain("The weight was taken back in all clusters but cluster-b:");
      expect(text).toMatch(/ - cluster-b: taking the weight back: timed out .*: still none\n/);
      expect(text).toContain(
        " - cluster-a: v2 of user/user-service has 10 %\n - cluster-b: v2 of user/user-service has 10 % or 30 %\n",
      );
    } finally {
      vi.useRealTimers();
    }
  });

  it("fences a write off that was not answered, and may yet arrive", async () => {
    vi.mocked(writeRoutes).mockImplementation(({ name }, _service, http, options) => {
      const { replacing, fence } = options ?? {};
      writes.push({ cluster: name, http, replacing, ...(fence && { fence }) });
      const [{ weight }] = http as [{ weight: number }];
      if (name === "cluster-b" && weight === 30) {
        return Promise.reject(new Error("no answer in time"));
      }
      now[name] = route(weight, 8);
      return Promise.resolve();
    });
    const { text } = await raise();
    expect(text).toContain("The weight was taken back in all clusters:");
    expect(writes.slice(2)).toEqual(
      expect.arrayContaining([
        { cluster: "cluster-a", http: [{ weight: 10 }], replacing: "8" },
        { cluster: "cluster-b", http: [{ weight: 10 }], replacing: "7", fence: true },
      ]),
    );
  });

  it("sends no probe of a chain while one is still under way", async () => {
    let running = 0;
    let most = 0;
    vi.mocked(probeChain).mockImplementation(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      running--;
      return [];
    });
    // A look that does not wait for its probe, as where its time is over.
    vi.mocked(runChecks).mockImplementation(({ probe }) => {
      void probe?.();
      return Promise.resolve([{ line: "it is day: no, it is night.", mayHeal: true }]);
    });
    vi.useFakeTimers();
    try {
      const chain = { followers: [], probe: {} as ChainProbe };
      const report = raise(chain);
      await vi.advanceTimersByTimeAsync(60_000);
      await report;
    } finally {
      vi.useRealTimers();
    }
    expect(most).toBe(1);
    expect(vi.mocked(probeChain).mock.calls.length).toBeGreaterThan(1);
  });

  it("names who has written a weight over, at once", async () => {
    // Envoys never serve it, and nobody waits for them.
    vi.mocked(confirmWeights).mockImplementation(async (_cluster, _expected, { signal }) => {
      now["cluster-b"] = { ...route(0, 9), writtenBy: "argocd-controller" };
      await new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => {
          reject(new Error("aborted"));
        });
      });
      return { routes: [], acknowledged: 0 };
    });
    vi.useFakeTimers();
    try {
      const report = raise();
      // cluster-a, which has the weight, is waited for; the other one is not.
      await vi.advanceTimersByTimeAsync(1_500);
      now["cluster-a"] = { ...route(0, 9), writtenBy: "argocd-controller" };
      await vi.advanceTimersByTimeAsync(1_500);
      const { raised, text } = await report;
      expect(raised).toBe(false);
      expect(text).toContain(
        " - cluster-b: serving the weight: field manager argocd-controller has written VirtualService user/user-service in cluster-b: v2 has 0 % there, not 30 %. Have its owner take the VirtualService out of what it applies, or leave its spec alone (docs/existing-services.md#beside-a-controller).\n",
      );
    } finally {
      vi.useRealTimers();
    }
    expect(writes.slice(2)).toEqual([]);
  });

  it("leaves no cluster on its own where a controller has written one over", async () => {
    vi.mocked(confirmWeights).mockImplementation(({ name }) => {
      if (name === "cluster-b") now[name] = { ...route(0, 9), writtenBy: "argocd-controller" };
      // Envoys have confirmed just before.
      return Promise.resolve({ routes: [], acknowledged: 0 });
    });
    const { raised, text } = await raise();
    expect(raised).toBe(false);
    expect(text).toContain("The weight was taken back in all clusters:");
    // Back to what it had, and then to what the controller applies.
    expect(writes.slice(2)).toEqual([
      { cluster: "cluster-a", http: [{ weight: 10 }], replacing: "8" },
    ]);
    const [falls = []] = vi.mocked(lower).mock.calls[0] ?? [];
    expect(falls.map(({ cluster, weight, rules }) => [cluster.name, weight, rules])).toEqual([
      ["cluster-a", 0, [{ weight: 10 }]],
    ]);
  });

  it("leaves a weight alone that somebody has lowered in the meantime", async () => {
    vi.mocked(confirmWeights).mockImplementation(() => {
      now["cluster-b"] = route(0, 9);
      return Promise.reject(new Error("user/client serves 0 %"));
    });
    const { text } = await raise();
    expect(writes.slice(2).map(({ cluster }) => cluster)).toEqual(["cluster-a"]);
    expect(text).toContain(" - cluster-b: v2 of user/user-service has 0 %");
    // Whoever it was, by this program's means, lowers the others too.
    expect(vi.mocked(lower).mock.calls.flat(2)).toEqual([]);
  });
});
