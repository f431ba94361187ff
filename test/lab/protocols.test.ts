import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { loadInMesh } from "../../lab/demo/load.ts";
import { calls } from "../../lab/mesh/call.ts";
import { ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { crossClusterHost, serviceHost, type ServiceName } from "../../lib/names.ts";
import { labPulumi } from "./lab.ts";
import { clusters, first, second } from "./release.ts";
import { wholeRelease } from "./whole-release.ts";

const stack = "lab-protocols";
const name: ServiceName = { service: "web", namespace: "protocols" };
const host = serviceHost(name, "cluster.local");
/** The Service's second port, and one that Istio takes for TCP; all lead to the echo server's one. */
const SECOND = 81;
const TCP = 82;
const pulumi = labPulumi(stack);

describe("a service with several ports and endless responses", () => {
  beforeAll(async () => {
    await makeReleaseStack(labSettings(), stack, {
      services: [
        {
          ...serviceConfig({ name: name.service, namespace: name.namespace }, 1),
          morePorts: [
            { port: SECOND, targetPort: 8080 },
            { port: TCP, targetPort: 8080, protocol: "tcp" },
          ],
          timeout: "none",
          trafficPolicy: {
            connectionPool: { tcp: { connectTimeout: "3s" } },
            outlierDetection: { consecutive5xxErrors: 20, interval: "5s" },
          },
        },
      ],
      phases: [10, 30, 100],
      weight: 0,
      safety: { checkWithin: "30s" },
    });
    for (const cluster of clusters) await ensureClientPod(cluster);
    await pulumi.up("protocols: installation");
  });

  afterAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
  });

  it("is split on both ports, in every Envoy of every cluster", async () => {
    await pulumi.setWeight(10);
    await pulumi.up("protocols: 10 %");
    for (const cluster of clusters) {
      expect((await readRoute(cluster, name))?.weight, cluster.name).toBe(10);
      const routes = await confirmWeight(
        cluster,
        { hosts: [host], canary: "v2", weight: 10 },
        30_000,
      );
      expect(routes.length, cluster.name).toBeGreaterThan(0);
      for (const { pod, tables } of routes) {
        expect(tables, pod).toEqual({ 80: { v1: 90, v2: 10 }, [SECOND]: { v1: 90, v2: 10 } });
      }
    }
    const pod = await ensureClientPod(first);
    for (const port of [80, SECOND]) {
      const answers = await calls(first, pod, `http://${host}:${port}/`, 150);
      expect([...new Set(answers.map(({ status }) => status))], String(port)).toEqual([200]);
      const versions = [...new Set(answers.map(({ version }) => version))].sort();
      expect(versions, String(port)).toEqual(["v1", "v2"]);
    }
  });

  it("sends every connection to its port of TCP to stable, in whichever cluster", async () => {
    for (const cluster of clusters) {
      const pod = await ensureClientPod(cluster);
      const answers = await calls(cluster, pod, `http://${host}:${TCP}/`, 60);
      const seen = answers.map(({ status, version }) => `${status} ${version ?? ""}`);
      expect([...new Set(seen)], cluster.name).toEqual(["200 v1"]);
    }
    const pod = await ensureClientPod(first);
    // A tester's header is nothing that a connection has.
    const url = `http://${host}:${TCP}/`;
    const [answer] = await calls(first, pod, url, 1, { "x-canary": "true" });
    expect(answer?.version).toBe("v1");
  });

  it("has its canary on the second port of one other cluster", async () => {
    const far = crossClusterHost(name, second.name);
    const pod = await ensureClientPod(first);
    const headers = { "x-canary": "true" };
    const answers = await calls(first, pod, `http://${far}:${SECOND}/`, 10, headers);
    for (const { status, version, cluster } of answers) {
      expect({ status, version, cluster }).toEqual({
        status: 200,
        version: "v2",
        cluster: second.name,
      });
    }
  });

  it("answers after longer than any default, and is not cut", async () => {
    const pod = await ensureClientPod(first);
    const [answer] = await calls(first, pod, `http://${host}:${SECOND}/?delay=12s`, 1);
    expect(answer?.status).toBe(200);
  });

  it("goes to 100 % and back on every port", { tags: ["campaign"] }, async () => {
    const load = await Promise.all(
      clusters.flatMap((cluster) =>
        [80, SECOND, TCP].map((port) => loadInMesh(cluster, `http://${host}:${port}/`, 5)),
      ),
    );
    try {
      await wholeRelease(pulumi, [{ host, canary: "v2" }], load);
    } finally {
      await Promise.all(load.map((client) => client.stop()));
    }
    await pulumi.setWeight(10);
    await pulumi.up("protocols: 10 % again");
  });

  it("leaves nothing to do for a second update", async () => {
    expect((await pulumi.preview()).value).toEqual([]);
  });
});
