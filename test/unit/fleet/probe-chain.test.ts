import { beforeEach, describe, expect, it, vi } from "vitest";
import { probeChain, type ChainProbe } from "../../../fleet/chain/probe-chain.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { endpointsOf } from "../../../fleet/endpoints.ts";
import { get } from "../../../fleet/pod-http.ts";

vi.mock(import("../../../fleet/endpoints.ts"), () => ({
  endpointsOf: vi.fn<typeof endpointsOf>(),
}));
vi.mock(import("../../../fleet/pod-http.ts"), () => ({ get: vi.fn<typeof get>() }));

const service = (name: string, isEntry: boolean) => ({
  service: name,
  namespace: "web",
  key: `web/${name}`,
  isEntry,
  stable: "v1",
  canary: "v2",
  port: 8080,
});
const probe: ChainProbe = {
  services: [service("front", true), service("users", false)],
  mark: { header: "x-mark", testers: [] },
  path: "/",
  requests: 4,
  headers: {},
  without: [],
  clusterDomain: "cluster.local",
};
const way = (version: string) => `outbound|80|${version}|users.web.svc.cluster.local`;

/** Requests that the front's proxies have sent, by pod and then by `version address`. */
type Counters = Readonly<Record<string, Readonly<Record<string, number>>>>;
let counters: Counters;

/** A cluster in which the probes make these counters of those. */
function cluster(before: Counters, after: Counters): ClusterClient {
  counters = before;
  vi.mocked(get).mockImplementation(() => {
    counters = after;
    return Promise.resolve("");
  });
  const proxies = (selector = "") =>
    Promise.resolve(
      (selector.includes("app=front") ? Object.keys(counters) : []).map((name) => ({
        metadata: { name, namespace: "web", uid: name },
      })),
    );
  return { name: "cluster-a", proxies } as unknown as ClusterClient;
}

beforeEach(() => {
  vi.mocked(endpointsOf).mockImplementation((_cluster, pod) => {
    const own = counters[pod.metadata?.name ?? ""];
    if (!own) return Promise.reject(new Error("cannot reach it"));
    const endpoints = Object.entries(own).map(([key, requests]) => {
      const [version = "", address] = key.split(" ");
      return { version, endpoint: { address, port: 8080, healthy: true, requests } };
    });
    const versions = [...new Set(endpoints.map(({ version }) => version))];
    return Promise.resolve(
      new Map(
        versions.map((version) => [
          way(version),
          endpoints.filter((each) => each.version === version).map(({ endpoint }) => endpoint),
        ]),
      ),
    );
  });
});

const endless = new AbortController().signal;

describe("the probe of a chain", () => {
  it("passes when every canary propagates the mark, whatever was counted before", async () => {
    const before = { f1: { "v1 a": 70, "v2 b": 30 }, f2: { "v2 b": 5 } };
    const after = { f1: { "v1 a": 70, "v2 b": 32 }, f2: { "v2 b": 7 } };
    expect(await probeChain(probe, [cluster(before, after)], endless)).toEqual([]);
  });

  it("finds for good who loses the mark", async () => {
    const before = { f1: { "v1 a": 70, "v2 b": 30 } };
    const after = { f1: { "v1 a": 74, "v2 b": 30 } };
    const [finding, ...others] = await probeChain(probe, [cluster(before, after)], endless);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ cluster: "cluster-a", mayHeal: false });
    expect(finding?.seen).toContain("v2 of web/front loses it");
  });

  it.each([
    [
      "an endpoint",
      { f1: { "v1 a": 71, "v2 b": 30, "v2 c": 9 } },
      { f1: { "v1 a": 72, "v2 b": 32 } },
    ],
    [
      "a proxy",
      { f1: { "v1 a": 1, "v2 b": 0 }, f2: { "v2 b": 0 } },
      { f1: { "v1 a": 2, "v2 b": 2 } },
    ],
  ])("is to be repeated when %s has taken its counts with it", async (_, before, after) => {
    const findings = await probeChain(probe, [cluster(before, after)], endless);
    expect(findings).toEqual([expect.objectContaining({ mayHeal: true })]);
  });

  it("sends nothing more when its time is over", async () => {
    const one = cluster({ f1: {} }, { f1: {} });
    vi.mocked(get).mockClear();
    const over = AbortSignal.abort(new Error("no answer in time"));
    const [finding] = await probeChain(probe, [one], over);
    expect(finding?.seen).toBe("v2 of web/front does not answer a probe: no answer in time");
    expect(get).not.toHaveBeenCalled();
  });

  it("is to be repeated when an entry does not answer", async () => {
    const one = cluster({ f1: {} }, { f1: {} });
    vi.mocked(get).mockRejectedValue(new Error("no answer"));
    expect(await probeChain(probe, [one], endless)).toEqual([
      expect.objectContaining({
        seen: "v2 of web/front does not answer a probe: no answer",
        mayHeal: true,
      }),
    ]);
  });
});
