import { X509Certificate } from "node:crypto";

import type { V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { call, calls } from "../../lab/mesh/call.ts";
import { deleteClientPod, ensureClientPod } from "../../lab/mesh/client-pod.ts";
import { podKey, type ClusterClient } from "../../fleet/cluster-client.ts";
import { hostInCluster } from "../../lab/mesh/service.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { telemetry } from "../../lib/manifests/telemetry.ts";
import { ingressAddress, labClusters } from "./lab.ts";

const clusters = labClusters();
const pairs = clusters.flatMap((from) =>
  clusters.filter((to) => to !== from).map((to) => ({ from, to })),
);
const clients = new Map<ClusterClient, V1Pod>();
/** Name of this file's client pods. */
const CLIENT = "mesh-client";
const serviceUrl = `http://${userService.host}/`;

function clientOf(cluster: ClusterClient): V1Pod {
  const client = clients.get(cluster);
  if (!client) throw new Error(`no client in ${cluster.name}`);
  return client;
}

beforeAll(async () => {
  for (const cluster of clusters) clients.set(cluster, await ensureClientPod(cluster, CLIENT));
});

afterAll(async () => {
  for (const cluster of clusters) await deleteClientPod(cluster, CLIENT);
});

async function secretData(cluster: ClusterClient, name: string): Promise<Record<string, string>> {
  const { data } = await cluster.core.readNamespacedSecret({ name, namespace: "istio-system" });
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString(),
    ]),
  );
}

describe("trust", () => {
  it("has one root and a different intermediate in each cluster, signed by it", async () => {
    const cas = await Promise.all(clusters.map((cluster) => secretData(cluster, "cacerts")));
    const roots = cas.map((ca) => new X509Certificate(ca["root-cert.pem"] ?? ""));
    const intermediates = cas.map((ca) => new X509Certificate(ca["ca-cert.pem"] ?? ""));
    expect(new Set(roots.map((root) => root.fingerprint256)).size).toBe(1);
    expect(new Set(intermediates.map((each) => each.fingerprint256)).size).toBe(clusters.length);
    for (const [index, intermediate] of intermediates.entries()) {
      const root = roots[index];
      expect(root && intermediate.verify(root.publicKey)).toBe(true);
      expect(intermediate.ca).toBe(true);
    }
  });

  it("keeps the root's key out of every cluster", async () => {
    for (const cluster of clusters) {
      const ca = await secretData(cluster, "cacerts");
      const root = new X509Certificate(ca["root-cert.pem"] ?? "");
      const intermediate = new X509Certificate(ca["ca-cert.pem"] ?? "");
      expect(Object.keys(ca).sort()).toEqual(
        ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"].sort(),
      );
      expect(root.publicKey.equals(intermediate.publicKey)).toBe(false);
    }
  });

  it.each(clusters.map((cluster) => ({ cluster, name: cluster.name })))(
    "refuses plain text to a sidecar in $name",
    async ({ cluster }) => {
      // The API server's proxy reaches pods without a mesh identity; CoreDNS, which has no sidecar,
      // shows that the way is open.
      const [dns] = await cluster.runningPods("k8s-app=kube-dns", "kube-system");
      const [target] = await cluster.runningPods(
        `app=${userService.name},version=${userService.stable}`,
        userService.namespace,
      );
      const viaApiServer = async (pod: V1Pod | undefined, path: string): Promise<string> => {
        const { namespace, name } = podKey(pod ?? {});
        return cluster.core.connectGetNamespacedPodProxyWithPath({
          namespace,
          name: `${name}:8080`,
          path,
        });
      };
      await expect(viaApiServer(dns, "health")).resolves.toBe("OK");
      await expect(viaApiServer(target, "")).rejects.toMatchObject({ code: 503 });
    },
  );
});

describe("endpoint discovery", () => {
  it.each(clusters.map((cluster) => ({ cluster, name: cluster.name })))(
    "has synced every other cluster in $name",
    async ({ cluster }) => {
      const [istiod] = await cluster.runningPods("app=istiod", "istio-system");
      const answer = await cluster.exec(istiod ?? {}, "discovery", [
        "pilot-discovery",
        "request",
        "GET",
        "/debug/clusterz",
      ]);
      const status = z
        .array(z.looseObject({ id: z.string(), syncStatus: z.string() }))
        .parse(JSON.parse(answer));
      expect(Object.fromEntries(status.map(({ id, syncStatus }) => [id, syncStatus]))).toEqual(
        Object.fromEntries(clusters.map(({ name }) => [name, "synced"])),
      );
    },
  );

  it.each(clusters.map((cluster) => ({ cluster, name: cluster.name })))(
    "is answered from every cluster when $name calls the service",
    async ({ cluster }) => {
      const answers = await calls(cluster, clientOf(cluster), serviceUrl, 40);
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      expect(new Set(answers.map((answer) => answer.cluster))).toEqual(
        new Set(clusters.map(({ name }) => name)),
      );
    },
  );
});

describe("ServiceEntry hosts", () => {
  it.each(pairs.map((pair) => ({ ...pair, source: pair.from.name, target: pair.to.name })))(
    "are answered by $target only, when $source calls it",
    async ({ from, to }) => {
      const url = `http://${hostInCluster(userService, to.name)}/`;
      const answers = await calls(from, clientOf(from), url, 20);
      expect(
        answers.map(({ status, cluster, version }) => `${status} ${cluster} ${version}`),
      ).toEqual(Array.from({ length: 20 }, () => `200 ${to.name} ${userService.stable}`));
    },
  );

  it.each(pairs.map((pair) => ({ ...pair, source: pair.from.name, target: pair.to.name })))(
    "reach the canary in $target by header from $source",
    async ({ from, to }) => {
      const answer = await call(
        from,
        clientOf(from),
        `http://${hostInCluster(userService, to.name)}/`,
        {
          "x-canary": "true",
        },
      );
      expect(answer).toMatchObject({ status: 200, cluster: to.name, version: userService.canary });
    },
  );
});

describe.each(clusters.map((cluster) => ({ cluster, name: cluster.name })))(
  "routing in $name at weight 0",
  ({ cluster }) => {
    it.each([
      { what: "a matching header", headers: { "x-canary": "true" }, version: userService.canary },
      { what: "another value", headers: { "x-canary": "false" }, version: userService.stable },
      {
        what: "a matching cookie",
        headers: { cookie: "canary=always" },
        version: userService.canary,
      },
      {
        what: "a matching cookie among others",
        headers: { cookie: "a=1; canary=always; b=2" },
        version: userService.canary,
      },
      {
        what: "a cookie that only begins alike",
        headers: { cookie: "canary=always-not" },
        version: userService.stable,
      },
      {
        what: "a cookie whose name ends alike",
        headers: { cookie: "not-canary=always" },
        version: userService.stable,
      },
    ])("sends $what to $version, inside the mesh and through the ingress", async (row) => {
      const inside = await call(cluster, clientOf(cluster), serviceUrl, row.headers);
      expect(inside).toMatchObject({ status: 200, version: row.version });
      const outside = await call(
        cluster,
        clientOf(cluster),
        `http://${await ingressAddress(cluster.name)}/`,
        { ...row.headers, host: userService.ingressHost },
      );
      expect(outside).toMatchObject({ status: 200, version: row.version });
    });

    it("gives up on an answer after 10 s", async () => {
      const answer = await call(cluster, clientOf(cluster), `${serviceUrl}?delay=11s`);
      expect(answer.status).toBe(504);
    });

    it("lets no other host in through the ingress gateway", async () => {
      const answer = await call(
        cluster,
        clientOf(cluster),
        `http://${await ingressAddress(cluster.name)}/`,
        { host: "other.example.com" },
      );
      expect([403, 404]).toContain(answer.status);
    });
  },
);

describe.each(clusters.map((cluster) => ({ name: cluster.name, cluster })))(
  "tracing in $name",
  ({ cluster }) => {
    /** What API server and istiod would say; nothing is made. */
    const tried = (samplingPercent: number) =>
      cluster.custom.createNamespacedCustomObject({
        group: "telemetry.istio.io",
        version: "v1",
        namespace: "istio-system",
        plural: "telemetries",
        body: telemetry(samplingPercent),
        dryRun: "All",
        fieldValidation: "Strict",
      });

    it("is configured in words that they know", async () => {
      await expect(tried(1)).resolves.toMatchObject({ kind: "Telemetry" });
      await expect(tried(101)).rejects.toThrow(/randomSamplingPercentage/);
    });
  },
);
