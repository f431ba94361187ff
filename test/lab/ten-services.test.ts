// @module-tag campaign
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KubernetesObject, V1OwnerReference } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { loadInMesh, type LoadClient } from "../../lab/demo/load.ts";
import { labStack } from "../../lab/environment.ts";
import { serverImage, smallRequests } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackFile, stackKey } from "../../lab/stack-file.ts";
import {
  apply,
  identities,
  removeNamespace,
  untilDeployed,
  versionsSince,
} from "./another-team.ts";
import { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { releaseCommand, releaseOf } from "./release-command.ts";
import { clusters } from "./release.ts";

const settings = labSettings();
const stack = "lab-ten-services";
const namespace = "ten-services";
const pulumi = labPulumi(stack);
const file = stackFile(settings, stack);

/** Ports of each service: the echo server speaks HTTP on all of them, which no request of this test tells apart. */
const PORTS: Readonly<Record<string, readonly object[]>> = {
  front: [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "grpc-admin", port: 9090, targetPort: 8080 },
  ],
  catalog: [{ name: "http-api", port: 8080 }],
  pricing: [{ name: "rpc", appProtocol: "grpc", port: 9000, targetPort: 8080 }],
  push: [{ name: "web", appProtocol: "kubernetes.io/h2c", port: 80, targetPort: 8080 }],
  cart: [{ name: "http", port: 80, targetPort: 8080 }],
  orders: [{ name: "http2", port: 80, targetPort: 8080 }],
  mail: [{ name: "http", port: 8025, targetPort: 8080 }],
  search: [
    { name: "http", port: 9200, targetPort: 8080 },
    { name: "http-admin", port: 9300, targetPort: 8080 },
  ],
  stock: [{ name: "grpc", port: 80, targetPort: 8080 }],
  users: [{ name: "http", port: 80, targetPort: 8080 }],
};
/** Controllers write the rules of these two. */
const CONTROLLED = ["flagged", "argo"];
const http = [{ name: "http", port: 80, targetPort: 8080 }];

function service(name: string, ports: readonly object[]): KubernetesObject {
  const object = { apiVersion: "v1", kind: "Service", metadata: { name, namespace } };
  return { ...object, ...{ spec: { selector: { app: name }, ports } } };
}

function deployment(name: string, cluster: string): KubernetesObject {
  const labels = { app: name, version: "v1" };
  const container = {
    name: "server",
    image: serverImage("v1"),
    args: ["--port=8080", "--version=v1", `--cluster=${cluster}`],
    resources: { requests: smallRequests },
    readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 },
  };
  const spec = {
    replicas: 1,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container] } },
  };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace }, ...{ spec } };
}

function istio(
  kind: "VirtualService" | "DestinationRule",
  name: string,
  spec: object,
  metadata: object = {},
): KubernetesObject {
  const object = { apiVersion: "networking.istio.io/v1", kind };
  return { ...object, metadata: { name, namespace, ...metadata }, ...{ spec } };
}

/** What the garbage collector knows: an owner that is not there takes the object with it. */
async function owner({ core }: ClusterClient): Promise<V1OwnerReference> {
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: "canary-of-flagged" } },
  });
  const { name = "", uid = "" } = made.metadata ?? {};
  return { apiVersion: "v1", kind: "ConfigMap", name, uid };
}

describe("an app of ten services with several ports and protocols", () => {
  const load: LoadClient[] = [];
  let out: string;
  let theirs: string[];

  beforeAll(async () => {
    if (await pulumi.exists()) {
      await pulumi.cancel();
      await pulumi.destroy();
      await pulumi.remove();
    }
    await rm(file, { force: true });
    await removeNamespace(namespace);
    for (const cluster of clusters) {
      await apply(cluster, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace, labels: { "istio-injection": "enabled" } },
      });
      for (const name of [...Object.keys(PORTS), ...CONTROLLED]) {
        await apply(cluster, service(name, PORTS[name] ?? http));
        await apply(cluster, deployment(name, cluster.name));
      }
      const route = (host: string) => ({
        hosts: [host],
        http: [{ route: [{ destination: { host } }] }],
      });
      const ownerReferences = [await owner(cluster)];
      await apply(
        cluster,
        istio("VirtualService", "flagged", route("flagged"), { ownerReferences }),
      );
      await apply(
        cluster,
        istio(
          "DestinationRule",
          "argo",
          { host: "argo", subsets: [{ name: "stable", labels: { app: "argo" } }] },
          { annotations: { "argo-rollouts.argoproj.io/managed-by-rollouts": "argo" } },
        ),
      );
      await apply(cluster, istio("VirtualService", "argo", route("argo")));
    }
    await untilDeployed(namespace);
    for (const cluster of clusters) {
      load.push(await loadInMesh(cluster, `http://cart.${namespace}.svc.cluster.local/`, 5));
    }
    out = await mkdtemp(path.join(tmpdir(), "handed-back-"));
    theirs = await identities(namespace);
  });

  afterAll(async () => {
    await Promise.all(load.map((client) => client.stop()));
    if (await pulumi.exists()) {
      await pulumi.destroy();
      await pulumi.remove();
    }
    await rm(file, { force: true });
    await rm(out, { recursive: true, force: true });
    await removeNamespace(namespace);
  });

  it("is adopted whole, but for what controllers write, and given back", async () => {
    const found = await releaseCommand(
      "adopt",
      ...clusters.flatMap(({ name }) => ["--context", name]),
      ...["--namespace", namespace, "--stack", stack],
      ...["--mesh-stack", `organization/istio-canary/${labStack}`],
    );
    expect(found.exitCode, found.text).toBe(0);
    expect(found.text).toContain("It takes 10 services:");
    const written = await readFile(file, "utf8");
    expect(written).toContain("metadata.ownerReferences names ConfigMap canary-of-flagged");
    expect(written).toContain("names Rollout argo, which writes it");
    await pulumi.create();
    await pulumi.up("ten services: adoption");
    expect(await identities(namespace)).toEqual(theirs);
    expect((await pulumi.preview()).value).toEqual([]);

    // One of them first: the others stay the stack's.
    const first = await releaseOf(
      stack,
      "eject",
      ...["--service", `${namespace}/cart`, "--out", out],
    );
    expect(first.exitCode, first.text).toBe(0);
    expect((await pulumi.preview()).value).toEqual([]);
    await pulumi.up("ten services: one is handed back");
    expect(await stackKey(file, "services")).toHaveLength(9);
    const others = await releaseOf(stack, "eject", "--out", out);
    expect(others.exitCode, others.text).toBe(0);
    const since = Date.now();
    await pulumi.destroy();
    for (const { custom, name } of clusters) {
      const { items } = (await custom.listNamespacedCustomObject({
        ...{ group: "networking.istio.io", version: "v1", plural: "virtualservices", namespace },
      })) as { items: readonly object[] };
      expect(items, name).toHaveLength(Object.keys(PORTS).length + CONTROLLED.length);
    }
    expect(await identities(namespace)).toEqual(theirs);
    expect(await versionsSince(load, since, 50)).toEqual(clusters.map(() => ["v1"]));
    expectAnswered(load);
  });
});
