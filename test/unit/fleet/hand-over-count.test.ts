import { ApiException } from "@kubernetes/client-node";
import { expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { handOverCount } from "../../../fleet/hand-over-count.ts";

const at = { name: "user-service-v1", namespace: "user" };

/** A cluster in which an autoscaler writes counts, each one after it was read, until it has no more. */
function clusterWith(first: number, ...later: number[]) {
  let count = first;
  const patch = vi.fn<(object: { spec: { replicas: number } }, ...more: unknown[]) => unknown>();
  patch.mockImplementation(async ({ spec }) => {
    count = later.shift() ?? count;
    if (spec.replicas !== count) throw new ApiException(409, "", undefined, {});
    return Promise.resolve({});
  });
  const cluster = {
    apps: { readNamespacedDeployment: () => Promise.resolve({ spec: { replicas: count } }) },
    objects: { patch },
  } as unknown as ClusterClient;
  return { cluster, patch };
}

it("shares the count that there is, and forces nothing", async () => {
  const { cluster, patch } = clusterWith(7);
  await handOverCount(cluster, at);
  expect(patch.mock.calls).toEqual([
    [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: at,
        spec: { replicas: 7 },
      },
      undefined,
      undefined,
      "istio-canary-count",
      false,
      "application/apply-patch+yaml",
    ],
  ]);
});

it("shares the newer count that an autoscaler writes meanwhile", async () => {
  const { cluster, patch } = clusterWith(7, 9);
  await handOverCount(cluster, at);
  expect(patch.mock.calls.map(([{ spec }]) => spec.replicas)).toEqual([7, 9]);
});

it("fails, and so keeps Pulumi from dropping the count, if it cannot share it", async () => {
  const { cluster, patch } = clusterWith(1, 2, 3, 4, 5, 6, 7);
  await expect(handOverCount(cluster, at)).rejects.toThrow("409");
  expect(patch).toHaveBeenCalledTimes(5);
});

it("fails if nobody answers", async () => {
  const { cluster, patch } = clusterWith(7);
  patch.mockRejectedValue(new Error("no answer"));
  await expect(handOverCount(cluster, at)).rejects.toThrow("no answer");
  expect(patch).toHaveBeenCalledTimes(1);
});

it("has nothing to share of a Deployment that is not there", async () => {
  const readNamespacedDeployment = () => Promise.reject(new ApiException(404, "", undefined, {}));
  const cluster = { apps: { readNamespacedDeployment } } as unknown as ClusterClient;
  await expect(handOverCount(cluster, at)).resolves.toBeUndefined();
});
