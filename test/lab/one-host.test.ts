import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { loadFromOutside, type LoadClient } from "../../lab/demo/load.ts";
import { serverImage, serviceConfig } from "../../lab/service-config.ts";
import { serviceHost } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import { ingressAddress } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { clusters, first, withOwnRelease } from "./release.ts";
import { wholeRelease } from "./whole-release.ts";

const name = "one-host";
const shared = `${name}.example.com`;
const web = serviceConfig({ name: "user-service", namespace: name, ingressHost: shared }, 1);
const api = {
  ...serviceConfig({ name: "api", namespace: name, ingressHost: shared }, 1),
  stable: { version: "api-v1", image: serverImage("v1"), replicas: 1 },
  canary: { version: "api-v2", image: serverImage("v2"), replicas: 1 },
  matches: [],
  ingressPaths: [{ exact: "/api" }, { prefix: "/api/" }],
  rewrite: { uri: "/" },
  headers: {
    request: { set: { "x-forwarded-prefix": "/api" } },
    response: { set: { "x-served-by": "api" } },
  },
};
const ROUTED = [
  { service: "user-service", canary: "v2" },
  { service: "api", canary: "api-v2" },
];
const release = withOwnRelease(name, { config: { services: [web, api] } });

/** What a client outside gets through the first cluster's gateway, response headers included. */
async function ask(path: string, ...more: readonly string[]): Promise<string> {
  const address = await ingressAddress(first.name);
  const { stdout } = await execa("curl", [
    ...["--silent", "--show-error", "--include", "--max-time", "20"],
    ...["--resolve", `${shared}:80:${address}`, ...more, `http://${shared}${path}`],
  ]);
  return stdout;
}

describe("two services on one host", () => {
  const load: Record<"web" | "api", LoadClient[]> = { web: [], api: [] };
  const versions = (clients: readonly LoadClient[], since = 0) =>
    [
      ...new Set(
        clients.flatMap(({ answers }) =>
          answers.filter(({ at }) => at >= since).map(({ version }) => version),
        ),
      ),
    ].sort();

  beforeAll(async () => {
    for (const cluster of clusters) {
      const address = await ingressAddress(cluster.name);
      const calls = (path: string) => loadFromOutside(cluster.name, shared, address, 10, {}, path);
      load.web.push(calls("/"), calls("/apiary"));
      load.api.push(calls("/api/orders"));
    }
  });

  afterAll(async () => {
    await Promise.all([...load.web, ...load.api].map((client) => client.stop()));
  });

  it("have their paths each, which the pods see as the config says", async () => {
    expect(await ask("/api/orders?id=7")).toMatch(/^URL=\/orders\?id=7\r?$/m);
    expect(await ask("/api")).toMatch(/^URL=\/\r?$/m);
    const answer = await ask("/api/orders");
    expect(answer).toMatch(/^ServiceVersion=api-v1\r?$/m);
    expect(answer).toMatch(/X-Forwarded-Prefix:\/api/);
    expect(answer).toMatch(/^x-served-by: api\r?$/m);
    const other = await ask("/apiary");
    expect(other).toMatch(/^ServiceVersion=v1\r?$/m);
    expect(other).toMatch(/^URL=\/apiary\r?$/m);
    expect(other).not.toMatch(/x-served-by/i);
  });

  it("leave each other's testers alone", async () => {
    const asks = ["--header", "x-canary: true"];
    expect(await ask("/", ...asks)).toMatch(/^ServiceVersion=v2\r?$/m);
    expect(await ask("/api/orders", ...asks)).toMatch(/^ServiceVersion=api-v1\r?$/m);
  });

  it("rise and fall in every Envoy, with no request lost, and none served by the other's pods", async () => {
    for (const weight of [10, 0]) {
      await release.change(weight);
      for (const cluster of clusters) {
        for (const { service, canary } of ROUTED) {
          const host = serviceHost({ service, namespace: name }, "cluster.local");
          const routes = await confirmWeight(
            cluster,
            { hosts: [host, shared], canary, weight },
            30_000,
          );
          const gateways = routes.filter(({ pod }) => pod.startsWith("istio-ingress/"));
          expect(gateways.length, `${cluster.name} ${service}`).toBeGreaterThan(0);
          for (const { tables } of gateways) {
            expect(Object.values(tables).map((weights) => weights[canary] ?? 0)).toEqual([weight]);
          }
        }
      }
      if (weight === 0) continue;
      const since = Date.now();
      await until(
        "both canaries to answer",
        () => {
          const seen = [...versions(load.web, since), ...versions(load.api, since)];
          if (!seen.includes("v2") || !seen.includes("api-v2")) throw new Error(seen.join(", "));
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
    }
    expectAnswered([...load.web, ...load.api]);
    expect(versions(load.web)).toEqual(["v1", "v2"]);
    expect(versions(load.api)).toEqual(["api-v1", "api-v2"]);
  });

  it("go to 100 % and back", { tags: ["campaign"] }, async () => {
    const services = ROUTED.map(({ service, canary }) => ({
      host: serviceHost({ service, namespace: name }, "cluster.local"),
      canary,
    }));
    await wholeRelease(release.pulumi, services, [...load.web, ...load.api]);
  });

  it("leave nothing to do for a second update", async () => {
    expect((await release.pulumi.preview()).value).toEqual([]);
  });
});
