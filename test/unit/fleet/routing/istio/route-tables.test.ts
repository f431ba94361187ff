import { expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../../../fleet/cluster-client.ts";
import { getBytes } from "../../../../../fleet/pod-http.ts";
import { routeTablesOf } from "../../../../../fleet/routing/istio/route-tables.ts";

vi.mock(import("../../../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  getBytes: vi.fn<typeof getBytes>(),
}));

const host = "user-service.user.svc.cluster.local";
const pod = { metadata: { name: "client", namespace: "user" } };
const of = [host];

interface Table {
  readonly at: string;
  readonly version?: string;
  readonly weight?: number;
  /** More of the virtual host. */
  readonly more?: object;
}

/** What the proxy says next. @param spaces as Envoy's own form has them */
function says(tables: readonly Table[], spaces = 1): void {
  const configs = tables.map(({ at, version, weight = 0, more }, i) => {
    const clusters = [{ name: `outbound|80|v2|${host}`, weight }];
    const routes = [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters } } }];
    return {
      ...(version !== undefined && { version_info: version }),
      route_config: {
        name: String(80 + i),
        virtual_hosts: [{ name: host, domains: [host], routes, ...more }],
      },
      last_updated: at,
    };
  });
  const text = JSON.stringify({ configs }, undefined, spaces);
  vi.mocked(getBytes).mockResolvedValue(Buffer.from(text));
}

const first = "2030-01-01T00:00:00.100Z";
const second = "2030-01-01T00:00:09.200Z";

it.each([0, 1])(
  "answers that differ in versions and times are read once, with %i spaces",
  async (spaces) => {
    const cluster = { name: "cluster-a" } as ClusterClient;
    says([{ at: first, version: "1" }, { at: first }], spaces);
    const one = await routeTablesOf(cluster, pod, of);
    says([{ at: second, version: "22" }, { at: first }], spaces);
    const other = await routeTablesOf(cluster, pod, of);
    expect(other.tables).toBe(one.tables);
    expect(one.updatedAt).toEqual([new Date(first), new Date(first)]);
    expect(other.updatedAt).toEqual([new Date(second), new Date(first)]);
  },
);

it("an answer with another weight is read", async () => {
  const cluster = { name: "cluster-a" } as ClusterClient;
  const weight = async () =>
    (await routeTablesOf(cluster, pod, of)).tables[0]?.virtualHosts[0]?.routes[0]?.route
      ?.weighted_clusters?.clusters[0]?.weight;
  says([{ at: first, weight: 10 }]);
  expect(await weight()).toBe(10);
  says([{ at: first, weight: 30 }]);
  expect(await weight()).toBe(30);
  says([{ at: second, weight: 10 }]);
  expect(await weight()).toBe(10);
});

it("another cluster, or another list of hosts, is read by itself", async () => {
  const cluster = { name: "cluster-a" } as ClusterClient;
  says([{ at: first }]);
  const { tables } = await routeTablesOf(cluster, pod, of);
  expect((await routeTablesOf(cluster, pod, ["other"])).tables[0]?.virtualHosts).toEqual([]);
  expect((await routeTablesOf({ name: "cluster-b" } as ClusterClient, pod, of)).tables).not.toBe(
    tables,
  );
});

it("keys of the same name in a table are no times of it: they may differ in what they say", async () => {
  const cluster = { name: "cluster-a" } as ClusterClient;
  const said = async () => (await routeTablesOf(cluster, pod, of)).tables[0]?.virtualHosts[0];
  for (const key of ["version_info", "last_updated"]) {
    says([{ at: first, more: { metadata: { [key]: "one" } } }]);
    expect(await said()).toHaveProperty("metadata", { [key]: "one" });
    says([{ at: first, more: { metadata: { [key]: "other" } } }]);
    expect(await said()).toHaveProperty("metadata", { [key]: "other" });
  }
});

it("of many different answers the last ones are remembered", async () => {
  const cluster = { name: "cluster-a" } as ClusterClient;
  const read = async (weight: number) => {
    says([{ at: first, weight }]);
    return (await routeTablesOf(cluster, pod, of)).tables;
  };
  const one = await read(1);
  for (const weight of [2, 3, 4]) await read(weight);
  expect(await read(1)).toBe(one);
  await read(5);
  expect(await read(1)).not.toBe(one);
});
