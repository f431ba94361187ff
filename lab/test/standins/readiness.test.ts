import { expect, test } from "vitest";
import {
  claimReadiness,
  isTokenSecret,
  missingEndpoints,
  needsEndpoints,
  readiness,
} from "../../standins/kubernetes-provider/readiness.ts";
import type { Fields } from "../../standins/kubernetes-provider/values.ts";

function deployment(status: Fields, replicas = 2): Fields {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", generation: 3 },
    spec: { replicas },
    status: { observedGeneration: 3, ...status },
  };
}

test("a deployment is ready when all its pods are new and available", () => {
  expect(readiness(deployment({ replicas: 2, updatedReplicas: 2, availableReplicas: 2 }))).toEqual({
    state: "ready",
  });
});

test.each<[string, Fields, string]>([
  ["unseen", { observedGeneration: 2 }, "the controller has not seen the change yet"],
  ["not updated", { replicas: 2, updatedReplicas: 1 }, "1 of 2 pods have been updated"],
  [
    "old pods",
    { replicas: 3, updatedReplicas: 2, availableReplicas: 2 },
    "1 old pods are still there",
  ],
  [
    "unavailable",
    { replicas: 2, updatedReplicas: 2, availableReplicas: 1 },
    "1 of 2 pods are available",
  ],
])("a deployment waits while it is %s", (_name, status, reason) => {
  expect(readiness(deployment(status))).toEqual({ state: "waiting", reason });
});

test("a deployment whose pods are refused says what the quota says", () => {
  const conditions = [
    { type: "ReplicaFailure", status: "True", message: "exceeded quota: pods=2" },
  ];
  expect(readiness(deployment({ conditions }))).toEqual({
    state: "waiting",
    reason: "0 of 2 pods have been updated: exceeded quota: pods=2",
  });
});

test("a deployment past its progress deadline has failed", () => {
  const conditions = [
    {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: "timed out progressing",
    },
  ];
  expect(readiness(deployment({ conditions, updatedReplicas: 2 }))).toEqual({
    state: "failed",
    reason: "progress deadline exceeded: timed out progressing",
  });
});

test("a deployment of zero replicas is ready without pods", () => {
  expect(readiness(deployment({}, 0))).toEqual({ state: "ready" });
});

test("a load balancer waits for its address", () => {
  const service: Fields = { apiVersion: "v1", kind: "Service", spec: { type: "LoadBalancer" } };
  expect(readiness(service).state).toBe("waiting");
  const status = { loadBalancer: { ingress: [{ ip: "10.0.0.1" }] } };
  expect(readiness({ ...service, status })).toEqual({ state: "ready" });
});

test("a service waits for a pod behind it only if it selects any", () => {
  const service = (spec: Fields): Fields => ({ apiVersion: "v1", kind: "Service", spec });
  expect(needsEndpoints(service({ selector: { app: "web" } }))).toBe(true);
  expect(needsEndpoints(service({}))).toBe(false);
  expect(needsEndpoints(service({ type: "ExternalName", selector: { app: "web" } }))).toBe(false);
  expect(needsEndpoints(service({ clusterIP: "None", selector: { app: "web" } }))).toBe(false);
});

// checkAndLogStatus and processEndpointEvent in provider/pkg/await/service.go of the official provider.
test("a service waits for every pod behind it, except those that end", () => {
  const slice = (ready: boolean, terminating = false): Fields => ({
    endpoints: [{ conditions: { ready, terminating } }],
  });
  expect(missingEndpoints([slice(true), slice(true)])).toBeUndefined();
  expect(missingEndpoints([slice(true), slice(false, true)])).toBeUndefined();
  expect(missingEndpoints([slice(false), slice(true)])).toBe(
    "1 pods behind the service are not ready",
  );
  expect(missingEndpoints([{ endpoints: [] }, {}])).toBe("no ready pod stands behind the service");
});

test("a service account's token secret waits for the token, other secrets for nothing", () => {
  const secret = (type: string, data?: Fields): Fields => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { annotations: { "kubernetes.io/service-account.name": "reader" } },
    type,
    data,
  });
  expect(readiness(secret("kubernetes.io/service-account-token"))).toEqual({
    state: "waiting",
    reason: "the controller has not issued a token yet for the service account reader",
  });
  expect(readiness(secret("kubernetes.io/service-account-token", { token: "eA==" }))).toEqual({
    state: "ready",
  });
  expect(readiness(secret("Opaque"))).toEqual({ state: "ready" });
});

test("a definition waits until it is established, and fails if its names are taken", () => {
  const definition = (...conditions: Fields[]): Fields => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    status: { conditions },
  });
  expect(readiness(definition()).state).toBe("waiting");
  expect(readiness(definition({ type: "Established", status: "True" })).state).toBe("ready");
  expect(
    readiness(definition({ type: "NamesAccepted", status: "False", message: "taken" })),
  ).toEqual({ state: "failed", reason: "taken" });
});

test("a failed job has failed, a finished one is ready", () => {
  const job = (type: string): Fields => ({
    apiVersion: "batch/v1",
    kind: "Job",
    status: { conditions: [{ type, status: "True", message: "backoff limit" }] },
  });
  expect(readiness(job("Failed"))).toEqual({
    state: "failed",
    reason: "the job failed: backoff limit",
  });
  expect(readiness(job("Complete")).state).toBe("ready");
});

test("kinds without a rule are ready when they exist", () => {
  expect(readiness({ apiVersion: "networking.istio.io/v1", kind: "VirtualService" })).toEqual({
    state: "ready",
  });
});

// untilCoreV1PersistentVolumeClaimReady in provider/pkg/await/awaiters.go of the official provider.
test.each([
  ["Bound", undefined, "ready"],
  ["Pending", undefined, "waiting"],
  ["Pending", "Immediate", "waiting"],
  ["Pending", "WaitForFirstConsumer", "ready"],
  ["Lost", "WaitForFirstConsumer", "waiting"],
] as const)("a claim that is %s, of a class that binds %s, is %s", (phase, mode, state) => {
  expect(claimReadiness({ status: { phase } }, mode)).toEqual(
    state === "ready" ? { state } : { state, reason: `the claim is ${phase}` },
  );
});

test("a token is waited for in Secrets of its type alone", () => {
  const secret = (type: string) => ({ apiVersion: "v1", kind: "Secret", type });
  expect(isTokenSecret(secret("kubernetes.io/service-account-token"))).toBe(true);
  expect(isTokenSecret(secret("Opaque"))).toBe(false);
});
