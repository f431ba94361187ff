import { ApiException } from "@kubernetes/client-node";
import { describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { findWorkload } from "../../../fleet/find-workload.ts";

const name = { service: "user-service", namespace: "user" };
const missing = () => Promise.reject(new ApiException(404, "", undefined, {}));

function clusterWith(core: object): ClusterClient {
  return { name: "cluster-a", core } as unknown as ClusterClient;
}

describe("what a cluster has of a service that others have made", () => {
  it("is read by the Service's selector, whichever controller has made the pods", async () => {
    const list = vi.fn<(query: object) => Promise<object>>().mockResolvedValue({
      items: [
        {
          metadata: {
            name: "a",
            labels: { version: "v1", "pod-template-hash": "7d9f" },
            ownerReferences: [{ kind: "ReplicaSet", name: "web-blue-7d9f", controller: true }],
          },
          spec: {
            serviceAccountName: "shop",
            containers: [{ name: "web" }, { name: "istio-proxy" }],
          },
          status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
        },
        {
          metadata: { name: "b" },
          spec: { containers: [{ name: "web" }], initContainers: [{ name: "istio-proxy" }] },
          status: { phase: "Pending" },
        },
        { metadata: { name: "ends", deletionTimestamp: new Date() }, status: { phase: "Running" } },
        { metadata: { name: "job" }, status: { phase: "Succeeded" } },
      ],
    });
    const cluster = clusterWith({
      readNamespace: () => Promise.resolve({ metadata: { labels: { team: "shop" } } }),
      readNamespacedService: () =>
        Promise.resolve({
          spec: {
            type: "ClusterIP",
            clusterIP: "10.0.0.1",
            selector: { app: "user-service", tier: "web" },
            ports: [{ port: 8080, name: "http", targetPort: 9000, protocol: "TCP" }],
          },
        }),
      listNamespacedPod: list,
    });
    expect(await findWorkload(cluster, name)).toEqual({
      namespace: { team: "shop" },
      service: {
        type: "ClusterIP",
        isHeadless: false,
        selector: { app: "user-service", tier: "web" },
        ports: [{ port: 8080, name: "http", appProtocol: undefined, protocol: "TCP" }],
      },
      pods: [
        {
          name: "a",
          labels: { version: "v1", "pod-template-hash": "7d9f" },
          serviceAccount: "shop",
          isReady: true,
          hasSidecar: true,
          scaled: { kinds: ["Deployment", "Rollout"], name: "web-blue" },
        },
        { name: "b", labels: {}, serviceAccount: "default", isReady: false, hasSidecar: true },
      ],
    });
    expect(list).toHaveBeenCalledWith(
      expect.objectContaining({ namespace: "user", labelSelector: "app=user-service,tier=web" }),
    );
  });

  it.each([
    {
      labels: { "rollouts-pod-template-hash": "5c4b" },
      owner: { kind: "ReplicaSet", name: "web-5c4b", controller: true },
      scaled: { kinds: ["Deployment", "Rollout"], name: "web" },
    },
    {
      labels: {},
      owner: { kind: "StatefulSet", name: "web", controller: true },
      scaled: { kinds: ["StatefulSet"], name: "web" },
    },
    {
      labels: { "pod-template-hash": "other" },
      owner: { kind: "ReplicaSet", name: "web-5c4b", controller: true },
      scaled: undefined,
    },
    { labels: {}, owner: { kind: "Deployment", name: "web" }, scaled: undefined },
  ])("tells what scales a pod of $owner.kind $owner.name", async ({ labels, owner, scaled }) => {
    const cluster = clusterWith({
      readNamespace: () => Promise.resolve({}),
      readNamespacedService: () => Promise.resolve({ spec: { selector: { app: "web" } } }),
      listNamespacedPod: () =>
        Promise.resolve({ items: [{ metadata: { labels, ownerReferences: [owner] } }] }),
    });
    const { pods } = await findWorkload(cluster, name);
    expect(pods.map((pod) => pod.scaled)).toEqual([scaled]);
  });

  it("is nothing where neither namespace nor Service is there, and no pod is asked for", async () => {
    const cluster = clusterWith({ readNamespace: missing, readNamespacedService: missing });
    expect(await findWorkload(cluster, name)).toEqual({
      namespace: undefined,
      service: undefined,
      pods: [],
    });
  });

  it("is not known where the API server refuses", async () => {
    const refused = () => Promise.reject(new ApiException(403, "", undefined, {}));
    const cluster = clusterWith({ readNamespace: missing, readNamespacedService: refused });
    await expect(findWorkload(cluster, name)).rejects.toThrow("403");
  });
});
