import type { V1Pod } from "@kubernetes/client-node";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { istiod } from "../../../fleet/checks/istiod.ts";
import type { CheckContext } from "../../../fleet/checks/check.ts";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { get, getJson } from "../../../fleet/pod-http.ts";
import { findInjected, findIstiods, findProxies } from "../../../fleet/upgrade/find-revisions.ts";
import { findTags } from "../../../fleet/upgrade/find-tags.ts";
import { againstMove, againstRevision } from "../../../fleet/upgrade/upgraded.ts";
import { everyone } from "../../../lib/who-counts.ts";

vi.mock(import("../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  get: vi.fn<typeof get>(),
  getJson: vi.fn<typeof getJson>(),
}));

const NEW = "1-31-1";

/** A pod of istiod of a revision. */
const istiodPod = (name: string, revision: string): V1Pod => ({
  metadata: {
    ...{ name, namespace: "istio-system", uid: name },
    labels: { app: "istiod", "istio.io/rev": revision },
  },
});

/** What a pod with a proxy is like besides. */
interface Like {
  readonly labels?: Record<string, string>;
  readonly onLostNode?: boolean;
  readonly gateway?: boolean;
}

/** A pod whose proxy a revision has injected. */
const injected = (name: string, revision?: string, like: Like = {}): V1Pod => ({
  metadata: {
    ...{ name, namespace: "shop", uid: name },
    ...(like.labels && { labels: like.labels }),
    ...(revision !== undefined && { annotations: { "istio.io/rev": revision } }),
  },
  spec: {
    containers: [{ name: "istio-proxy" }, ...(like.gateway === true ? [] : [{ name: "app" }])],
  },
  status: {
    conditions: [
      { type: "Ready", status: like.onLostNode === true ? "False" : "True" },
      { type: "ContainersReady", status: "True" },
    ],
  },
});

const kinds = ["route", "cluster", "endpoint", "listener"];

/** How an istiod tells of a proxy. */
function synced(name: string, behind: readonly string[] = []) {
  const nonces = kinds.map((kind) => [
    [`${kind}_sent`, "2"],
    [`${kind}_acked`, behind.includes(kind) ? "1" : "2"],
  ]);
  const told = Object.fromEntries(nonces.flat()) as Readonly<Record<string, string>>;
  return { proxy: `${name}.shop`, cluster_id: "cluster-a", ...told };
}

/** What the pods of istiod say, by their names. */
let proxies: Record<string, readonly object[]>;
let reads: Record<string, string>;
let pods: readonly V1Pod[];
let istiods: readonly V1Pod[];

const cluster = {
  name: "cluster-a",
  runningPods: (selector: string) => {
    const revision = /istio\.io\/rev=(.*)/.exec(selector)?.[1];
    return Promise.resolve(
      istiods.filter(
        ({ metadata }) => revision === undefined || metadata?.labels?.["istio.io/rev"] === revision,
      ),
    );
  },
  podsWithProxy: () => Promise.resolve(pods),
} as unknown as ClusterClient;

beforeEach(() => {
  istiods = [istiodPod("old", "default"), istiodPod("new", NEW)];
  pods = [injected("web", NEW), injected("api", "default")];
  proxies = { new: [synced("web")], old: [synced("api")] };
  reads = { "cluster-a": "synced", "cluster-b": "synced" };
  vi.mocked(getJson).mockImplementation((_cluster, pod, _port, path) =>
    Promise.resolve(
      path === "/debug/syncz"
        ? (proxies[pod.metadata?.name ?? ""] ?? [])
        : Object.entries(reads).map(([id, syncStatus]) => ({ id, syncStatus })),
    ),
  );
});

describe("a revision", () => {
  const look = (who = everyone) => againstRevision(cluster, NEW, ["cluster-a", "cluster-b"], who);
  const against = async () => (await look()).against;

  it("is well if its istiod reads every cluster, and its proxies have taken what it sends", async () => {
    expect(await against()).toEqual([]);
  });

  it("is not asked of proxies of another one", async () => {
    proxies["old"] = [synced("api", kinds)];
    expect(await against()).toEqual([]);
  });

  it("is not well without a pod of istiod", async () => {
    istiods = [istiodPod("old", "default")];
    expect(await against()).toEqual([
      `no pod of istiod of ${NEW} runs`,
      `shop/web is not connected to istiod of ${NEW}`,
    ]);
  });

  it("is not well if its istiod does not read a cluster", async () => {
    reads = { "cluster-a": "synced", "cluster-b": "timeout" };
    expect(await against()).toEqual(["istiod (new) says that cluster-b is timeout"]);
    reads = { "cluster-a": "synced" };
    expect(await against()).toEqual(["istiod (new) says that cluster-b is unknown there"]);
  });

  it.each(kinds)("is not well if an Envoy rejects a %s", async (kind) => {
    proxies["new"] = [synced("web", [kind])];
    expect(await against()).toEqual([`shop/web (${kind}s) did not accept what istiod has sent`]);
  });

  it("is not well if a proxy listens to an istiod of another one", async () => {
    proxies = { new: [], old: [synced("web")] };
    expect(await against()).toEqual([
      `shop/web is not connected to istiod of ${NEW}`,
      "shop/web listens to an istiod of another revision",
    ]);
  });

  it("names some proxies of many", async () => {
    pods = ["a", "b", "c", "d", "e"].map((name) => injected(name, NEW));
    proxies = {};
    expect(await against()).toEqual([
      `shop/a, shop/b, shop/c and 2 more are not connected to istiod of ${NEW}`,
    ]);
  });

  it("says why it cannot be asked", async () => {
    vi.mocked(getJson).mockRejectedValue(new Error("no way"));
    expect(await against()).toEqual(["it cannot be asked: no way"]);
  });

  it("does not ask for sidecars that the configuration excludes, or whose nodes are lost", async () => {
    const lost = injected("c", NEW, { onLostNode: true });
    pods = [injected("a", NEW), injected("b", NEW), lost];
    proxies = { new: [synced("a")] };
    expect(await against()).toEqual([`shop/b is not connected to istiod of ${NEW}`]);
    pods = [injected("a", NEW), injected("b", NEW, { labels: { of: "others" } }), lost];
    expect(await look({ ...everyone, exclude: [{ labels: { of: "others" } }] })).toEqual({
      against: [],
      leftOut: ["1 on lost nodes (shop/c)", "1 that safety.exclude names"],
    });
  });

  it("leaves so few out as the percentage allows, and no gateway", async () => {
    const half = { ...everyone, percent: 50 };
    pods = ["a", "b", "c"].map((name) => injected(name, NEW));
    proxies = { new: [synced("a"), synced("b", ["route"])] };
    expect((await look(half)).against).toEqual([
      `shop/c is not connected to istiod of ${NEW}`,
      "shop/b (routes) did not accept what istiod has sent",
    ]);
    proxies = { new: [synced("a"), synced("b")] };
    expect(await look(half)).toEqual({
      against: [],
      leftOut: [
        `1 of 3 that are not in sync, where 50 % are enough (shop/c is not connected to istiod of ${NEW})`,
      ],
    });
    pods = ["a", "b", "c"].map((name) => injected(name, NEW, { gateway: true }));
    expect((await look(half)).against).toEqual([`shop/c is not connected to istiod of ${NEW}`]);
  });
});

describe("a move", () => {
  const own = (name: string, revision: string, onLostNode = false) =>
    injected(name, revision, { labels: { app: name }, onLostNode });
  const against = (who = everyone) =>
    againstMove(cluster, { namespace: "shop", to: NEW }, ["web", "api"], who);

  it("is made when the program's own pods have proxies of the revision", async () => {
    pods = [own("web", NEW), own("others", "default")];
    expect(await against()).toEqual([]);
    pods = [own("web", NEW), own("api", "default")];
    expect(await against()).toEqual(["shop/api still has a proxy of another one"]);
    expect(await against({ ...everyone, exclude: [{ namespace: "shop" }] })).toEqual([]);
    pods = [own("web", NEW), own("api", "default", true)];
    expect(await against()).toEqual([]);
  });
});

describe("the check of istiod", () => {
  const context = { cluster } as unknown as CheckContext;

  it("wants one pod of each revision to serve", async () => {
    vi.mocked(get).mockImplementation((_cluster, pod) =>
      pod.metadata?.name === "new" ? Promise.reject(new Error("not ready")) : Promise.resolve(""),
    );
    expect(await istiod.run(context)).toEqual([
      {
        seen: `none of revision ${NEW} does: not ready`,
        fix: "See kubectl -n istio-system get pods -l app=istiod.",
        mayHeal: true,
      },
    ]);
    istiods = [istiodPod("old", "default"), istiodPod("new", "default")];
    expect(await istiod.run(context)).toEqual([]);
    istiods = [];
    expect(await istiod.run(context)).toMatchObject([{ seen: "no pod of istiod runs" }]);
  });
});

describe("what a cluster has", () => {
  it("is each istiod with its version, by its revision", async () => {
    const deployment = (image: string, revision?: string) => ({
      metadata: { labels: { ...(revision !== undefined && { "istio.io/rev": revision }) } },
      spec: { template: { spec: { containers: [{ name: "discovery", image }] } } },
    });
    const items = [
      deployment("docker.io/istio/pilot:1.31.0-distroless"),
      deployment("registry.example.com:5000/istio/pilot@sha256:1234", NEW),
    ];
    const apps = { listNamespacedDeployment: () => Promise.resolve({ items }) };
    expect(await findIstiods({ apps } as unknown as ClusterClient)).toEqual(
      new Map([
        ["default", "1.31.0"],
        [NEW, undefined],
      ]),
    );
  });

  it("is what the program's Deployments are injected by, as their templates say", async () => {
    const deployment = (name: string, metadata: object) => ({
      metadata: { name },
      spec: { template: { metadata } },
    });
    const items = [
      deployment("web-v1", { annotations: { "istio-canary/revision": NEW } }),
      deployment("gateway", { labels: { "istio.io/rev": NEW } }),
      deployment("web-v2", {}),
      deployment("others", {}),
    ];
    const apps = { listNamespacedDeployment: () => Promise.resolve({ items, metadata: {} }) };
    const own = new Map([["shop", ["web-v1", "web-v2", "gateway"]]]);
    const found = await findInjected({ apps } as unknown as ClusterClient, own);
    expect(found.map(({ name, revision }) => `${name} ${revision}`)).toEqual([
      `web-v1 ${NEW}`,
      `gateway ${NEW}`,
      "web-v2 default",
    ]);
  });

  it("is how many proxies are of which revision", async () => {
    pods = [injected("a", NEW), injected("b"), injected("c", NEW)];
    expect(await findProxies(cluster)).toEqual([
      { namespace: "shop", revision: NEW, pods: 2 },
      { namespace: "shop", revision: "default", pods: 1 },
    ]);
  });

  it("is its tags, and the labels of its namespaces", async () => {
    const list = vi.fn<() => Promise<object>>(() =>
      Promise.resolve({
        items: [{ metadata: { labels: { "istio.io/tag": "prod", "istio.io/rev": NEW } } }],
      }),
    );
    const namespaces = [{ metadata: { name: "shop", labels: { "istio.io/rev": "prod" } } }];
    const core = { listNamespace: () => Promise.resolve({ items: namespaces }) };
    const found = await findTags({ objects: { list }, core } as unknown as ClusterClient);
    expect(found).toEqual({ tags: { prod: NEW }, labels: new Map([["shop", "prod"]]) });
    expect(list.mock.calls[0]).toContain("istio.io/tag");
  });
});
