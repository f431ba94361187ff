import { describe, expect, it } from "vitest";
import { z } from "zod";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { chainStack } from "../../lab/chain-stack.ts";
import { parseHop } from "../../lab/demo/answers.ts";
import { confirmChain, measureChain } from "../../lab/demo/chain-phase.ts";
import { wayText } from "../../lab/demo/chain-ways.ts";
import { call } from "../../lab/mesh/call.ts";
import { chain, chainHost, chainService, followers } from "../../lab/mesh/chain.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { serverImage } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../lab/stack-file.ts";
import { crossClusterHost } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import { at, change, pulumi, withChainStack } from "./chain.ts";
import { ingressAddress } from "./lab.ts";
import { clusters, failure } from "./release.ts";

const load = withChainStack([10, 100]);
const file = stackFile(labSettings(), chainStack);

const virtualServices = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({
        name: z.string(),
        creationTimestamp: z.iso.datetime(),
        resourceVersion: z.string(),
        labels: z.record(z.string(), z.string()),
      }),
    }),
  ),
});

async function routes(cluster: ClusterClient) {
  const list: unknown = await cluster.custom.listNamespacedCustomObject({
    group: "networking.istio.io",
    version: "v1",
    namespace: chain.namespace,
    plural: "virtualservices",
  });
  return virtualServices.parse(list).items.map(({ metadata }) => ({
    name: metadata.name,
    role: metadata.labels["istio-canary/role"],
    /** In seconds only, but of one time in all clusters. */
    made: Date.parse(metadata.creationTimestamp),
    /** Counts the writes of one cluster. */
    write: Number(metadata.resourceVersion),
  }));
}

describe("a chain of services", () => {
  it("is installed with its followers' routes in all clusters before those of its entry", async () => {
    await pulumi.up("chain test: installation");
    const all = await Promise.all(clusters.map(routes));
    const ofRole = (routes: (typeof all)[number], role: string) =>
      routes.filter((each) => each.role === role);
    for (const own of all) {
      expect(Object.fromEntries(own.map(({ name, role }) => [name, role]))).toEqual({
        [chain.entry]: "entry",
        ...Object.fromEntries(followers.map((name) => [name, "follower"])),
      });
      const writes = (role: string) => ofRole(own, role).map(({ write }) => write);
      expect(Math.max(...writes("follower"))).toBeLessThan(Math.min(...writes("entry")));
    }
    const made = (role: string) => ofRole(all.flat(), role).map((each) => each.made);
    expect(Math.max(...made("follower"))).toBeLessThanOrEqual(Math.min(...made("entry")));
    await confirmChain(clusters, 0);
  });
});

/** A header of the request as the service that answered has received it. */
function received(body: string, header: string): string | undefined {
  return new RegExp(`^RequestHeader=${header}:(.*)$`, "im").exec(body)?.[1];
}

const STABLE = `${chain.stable} alone`;
const CANARY = `${chain.canary} alone, marked`;
const MEMBER = `${chain.baggage}=${chain.mark}`;

describe.each(clusters.map((cluster) => ({ name: cluster.name, cluster })))(
  "a request in $name at weight 0",
  ({ cluster }) => {
    const [other] = clusters.filter((each) => each !== cluster);
    /** The entry's names: in the mesh, in the other cluster, and at the ingress gateway. */
    const ways = async () => [
      { url: `http://${chain.host}/` },
      { url: `http://${crossClusterHost(chainService(chain.entry), other?.name ?? "")}/` },
      { url: `http://${await ingressAddress(cluster.name)}/`, host: chain.ingressHost },
    ];

    it.each([
      { what: "without a header", headers: {}, way: STABLE },
      { what: "that matches by its header", headers: { "x-canary": "true" }, way: CANARY },
      {
        what: "that matches by its cookie",
        headers: { cookie: "a=b; canary=always" },
        way: CANARY,
      },
      { what: "of a named tester", headers: { [chain.header]: chain.tester }, way: CANARY },
      {
        what: "of a tester with baggage",
        headers: { [chain.header]: chain.tester, baggage: "tenant=a" },
        way: CANARY,
        baggage: `tenant=a,${MEMBER}`,
      },
      { what: "of somebody unknown", headers: { [chain.header]: "mallory" }, way: STABLE },
      { what: "that was marked outside", headers: { [chain.header]: chain.mark }, way: STABLE },
      {
        what: "whose baggage was marked outside",
        headers: { baggage: `tenant=a,${MEMBER}` },
        way: STABLE,
      },
      {
        what: "with other baggage",
        headers: { baggage: "tenant=a" },
        way: STABLE,
        baggage: "tenant=a",
      },
    ])("$what is served by $way", async ({ headers, way, baggage }) => {
      const client = await ensureClientPod(cluster);
      const marked = way === CANARY;
      for (const { url, host } of await ways()) {
        const { status, body } = await call(cluster, client, url, {
          ...headers,
          ...(host && { host }),
        });
        expect(
          {
            status,
            way: wayText(body.split("\n").flatMap((line) => parseHop(line) ?? [])),
            mark: received(body, chain.header),
            baggage: received(body, "baggage"),
          },
          url,
        ).toEqual({
          status: 200,
          way,
          mark: marked ? chain.mark : undefined,
          baggage: baggage ?? (marked ? MEMBER : undefined),
        });
      }
    });

    it.each([
      { what: "without a mark", headers: {}, version: chain.stable },
      { what: "with the mark", headers: { [chain.header]: chain.mark }, version: chain.canary },
      {
        what: "with the mark in its baggage alone",
        headers: { baggage: `tenant=a, ${MEMBER};ttl=1` },
        version: chain.canary,
      },
      {
        what: "with baggage that only looks alike",
        headers: { baggage: `not-${MEMBER},${MEMBER}-not` },
        version: chain.stable,
      },
      {
        what: "with a tester's name",
        headers: { [chain.header]: chain.tester },
        version: chain.stable,
      },
    ])("to a follower $what is served by $version", async ({ headers, version }) => {
      const client = await ensureClientPod(cluster);
      for (const service of followers) {
        const answer = await call(cluster, client, `http://${chainHost(service)}/`, headers);
        expect(answer, service).toMatchObject({ status: 200, version });
      }
    });
  },
);

describe("a chain under load", () => {
  it("serves 10 % of the requests by canaries alone, and all others by stable versions alone", async () => {
    await load.start();
    const began = new Date();
    await change(10);
    const { problems, shares } = await measureChain(clusters, load.clients, 10, began);
    expect(problems).toEqual([]);
    expect(shares.map(({ client }) => client)).toEqual(
      clusters
        .map(({ name }) => `in ${name}`)
        .concat(clusters.map(({ name }) => `outside, through ${name}`)),
    );
  });

  /** What a preview says against other keys of the config, which are put back. */
  async function refusal(keys: Readonly<Record<string, unknown>>): Promise<string> {
    const before = Object.fromEntries(
      await Promise.all(
        Object.keys(keys).map(async (key) => [key, await stackKey(file, key)] as const),
      ),
    );
    await setStackKeys(file, keys);
    try {
      return await failure(pulumi.preview());
    } finally {
      await setStackKeys(file, before);
    }
  }

  it("keeps its services and their canaries in mid-release", async () => {
    const services = (await stackKey(file, "services")) as readonly Record<string, unknown>[];
    const [first = {}, second = {}, third = {}] = services;
    const without = { ...second, canary: undefined };
    expect(await refusal({ services: [first, without, third] })).toContain(
      "services[1].canary.version: must stay v2",
    );
    expect(await refusal({ services: [first, second] })).toContain(
      `services: must keep ${chain.namespace}/user-service`,
    );
    const added = { ...third, name: "cart-service" };
    expect(await refusal({ services: [...services, added] })).toContain(
      "services[3]: must not be added",
    );
  });

  it("is promoted as a whole at 100 %, by one update", { tags: ["campaign"] }, async () => {
    await change(100);
    await confirmChain(clusters, 100);
    load.expectNoneMixed();
    const since = Date.now();
    for (const service of chain.services) {
      await pulumi.setConfig(`${at(service)}.stable.version`, chain.canary);
      await pulumi.setConfig(`${at(service)}.stable.image`, serverImage(chain.canary));
      await pulumi.setConfig(`${at(service)}.canary`, undefined);
    }
    await change(0);
    await until(
      "answers without a mark at every client",
      () => {
        const marked = load.clients.filter(({ answers }) => answers.at(-1)?.hops[0]?.mark);
        if (marked.length > 0) throw new Error(marked.map(({ name }) => name).join(", "));
      },
      { timeoutMs: 30_000 },
    );
    load.expectNoneMixed(since, chain.canary);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it(
    "goes back over its promotion to where all began, by two updates",
    { tags: ["campaign"] },
    async () => {
      const since = Date.now();
      for (const service of chain.services) {
        await pulumi.setConfig(`${at(service)}.stable.version`, chain.stable);
        await pulumi.setConfig(`${at(service)}.stable.image`, serverImage(chain.stable));
        await pulumi.setConfig(`${at(service)}.canary.version`, chain.canary);
        await pulumi.setConfig(`${at(service)}.canary.image`, serverImage(chain.canary));
        await pulumi.setConfig(`${at(service)}.canary.replicas`, "1");
      }
      await change(100);
      await confirmChain(clusters, 100);
      // Up to here nothing is served by a version that clients had not before.
      load.expectNoneMixed(since, chain.canary);
      const began = new Date();
      await change(0);
      const { problems } = await measureChain(clusters, load.clients, 0, began);
      expect(problems).toEqual([]);
    },
  );

  it("has failed no request at any step", () => {
    load.expectNoFailure();
  });

  it("is removed with its stack, and leaves nothing", async () => {
    await load.stop();
    await pulumi.destroy();
    for (const { core, name } of clusters) {
      const namespace = core.readNamespace({ name: chain.namespace });
      await expect(namespace, name).rejects.toThrow(/404/);
    }
  });
});
