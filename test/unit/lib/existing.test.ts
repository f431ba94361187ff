import { describe, expect, it } from "vitest";
import { absence, workloadObjections, type FoundWorkload } from "../../../lib/existing.ts";
import { existing, foundPod, foundWorkload } from "../../helpers/existing.ts";

const said = (found: Partial<FoundWorkload>, more: Partial<typeof existing> = {}) =>
  workloadObjections({ ...existing, ...more }, foundWorkload(found), "cluster-b").map(
    ({ key, rule }) => `${key}: ${rule}`,
  );
const { service } = foundWorkload();
const ports = (...all: NonNullable<typeof service>["ports"]) => ({
  service: { ...(service ?? { isHeadless: false, selector: {} }), ports: all },
});

describe("a service that others have made", () => {
  it("is taken as it is where nothing is missing", () => {
    expect(said({})).toEqual([]);
  });

  it.each<[string, Partial<FoundWorkload>, string]>([
    [
      "without its namespace",
      { namespace: undefined, service: undefined, pods: [] },
      "namespace: must be there, but cluster-b has no such namespace",
    ],
    [
      "without its Service",
      { service: undefined, pods: [] },
      "name: must be a Service of every cluster, but cluster-b has no Service user/user-service",
    ],
    [
      "in an ambient namespace",
      { namespace: { "istio.io/dataplane-mode": "ambient" }, pods: [] },
      "namespace: must have pods with sidecars, but in cluster-b it is ambient (istio.io/dataplane-mode: ambient)",
    ],
    [
      "with ambient pods",
      {
        pods: [
          foundPod("v1", {
            hasSidecar: false,
            labels: { version: "v1", "istio.io/dataplane-mode": "ambient" },
          }),
        ],
      },
      "namespace: must have pods with sidecars, but in cluster-b it is ambient (istio.io/dataplane-mode: ambient)",
    ],
    [
      "with a headless Service",
      service ? { service: { ...service, isHeadless: true } } : {},
      "name: must be a Service with a cluster IP and a selector, but Service user/user-service in cluster-b is headless: clients choose its pods themselves, and no request is split",
    ],
    [
      "with an ExternalName",
      service ? { service: { ...service, type: "ExternalName" } } : {},
      "name: must be a Service with a cluster IP and a selector, but Service user/user-service in cluster-b is an ExternalName",
    ],
    [
      "with a Service that selects nothing",
      service ? { service: { ...service, selector: {} }, pods: [] } : {},
      "name: must be a Service with a cluster IP and a selector, but Service user/user-service in cluster-b selects no pods",
    ],
    [
      "without the port",
      ports({ port: 8080, name: "http" }, { port: 9090, name: "http-metrics" }),
      "servicePort: must be a port of Service user/user-service in cluster-b, which has 8080, 9090",
    ],
    [
      "with a port of which Istio does not know the protocol",
      ports({ port: 80, name: "web" }),
      "servicePort: must be an HTTP port, but Istio does not know port 80 (named web) of Service user/user-service in cluster-b as one",
    ],
    [
      "with a gRPC port",
      ports({ port: 80, name: "http", appProtocol: "grpc" }),
      "servicePort: must be an HTTP port, but Istio does not know port 80 (named http, appProtocol grpc) of Service user/user-service in cluster-b as one",
    ],
    [
      "with a port whose connections cannot be split",
      ports({ port: 80, name: "http" }, { port: 5432, name: "tcp-db" }),
      "name: must have HTTP ports alone, beside those of morePorts: requests are split, but connections to port 5432 (named tcp-db) of Service user/user-service in cluster-b would reach the pods of both versions",
    ],
    [
      "with pods that have no sidecar",
      { pods: [foundPod("v1"), foundPod("v2", { hasSidecar: false })] },
      "name: must have a sidecar in every pod, which splits requests and has the mesh's identity: user-service-v2 of Service user/user-service in cluster-b have none",
    ],
    [
      "with pods of another ServiceAccount",
      { pods: [foundPod("v1"), foundPod("v2", { serviceAccount: "default" })] },
      "serviceAccounts: must name every ServiceAccount of the pods of Service user/user-service in cluster-b: there is also default",
    ],
    [
      "whose metrics know it by another version",
      {
        pods: [
          foundPod("v1", { labels: { version: "v1", "app.kubernetes.io/version": "1.0.0" } }),
          foundPod("v2"),
        ],
      },
      "versionLabel: must give a pod the version by which Istio's metrics know it, or the gates read nothing: user-service-v1 of Service user/user-service in cluster-b has v1 there and 1.0.0 in the metrics",
    ],
  ])("is refused %s", (_, found, text) => {
    expect(said(found)).toEqual([text]);
  });

  it("has ports of TCP that the configuration names as such", () => {
    const web = { port: 80, name: "http" };
    const named = {
      port: 80,
      ports: [
        { port: 80, protocol: "http" },
        { port: 5432, protocol: "tcp" },
      ],
    } as const;
    for (const name of ["tcp-db", "mysql", "redis"]) {
      expect(said(ports(web, { port: 5432, name }), named)).toEqual([]);
    }
    // One of which Istio finds out the protocol itself could be taken for HTTP, and UDP is none.
    for (const port of [{ name: "db" }, { name: "tls" }, { name: "tcp", protocol: "UDP" }]) {
      const [text] = said(ports(web, { port: 5432, ...port }), named);
      expect(text).toMatch(/^morePorts\[0\]\.port: must be a tcp port, but Istio does not know/);
    }
  });

  it("has the ports that the configuration names, of the protocols that it names", () => {
    const named = {
      port: 80,
      ports: [
        { port: 80, protocol: "grpc" },
        { port: 8080, protocol: "http" },
      ],
    } as const;
    const web = { port: 8080, name: "http-web" };
    expect(said(ports({ port: 80, name: "grpc" }, web), named)).toEqual([]);
    expect(said(ports({ port: 80, name: "http" }, web), named)).toEqual([
      "servicePort: must be a grpc port, but Istio does not know port 80 (named http) of Service user/user-service in cluster-b as one",
    ]);
    expect(said(ports({ port: 80, name: "grpc" }), named)).toEqual([
      "morePorts[0].port: must be a port of Service user/user-service in cluster-b, which has 80",
    ]);
    const called = { ...named, isCalledFromOutside: true };
    expect(said(ports({ port: 80, name: "grpc" }, web), called)).toEqual([]);
  });

  it("has no second port where gateways lead to it", () => {
    const two = ports({ port: 80, name: "http" }, { port: 9090, name: "http-metrics" });
    expect(said(two)).toEqual([]);
    expect(said(two, { isCalledFromOutside: true })).toEqual([
      "ingressHosts: must be [] while Service user/user-service in cluster-b has several ports: a gateway would not know which one is meant",
    ]);
  });

  it.each([
    { name: "http-web" },
    { appProtocol: "http" },
    { name: "tcp", appProtocol: "HTTP" },
    { appProtocol: "kubernetes.io/ws" },
  ])("has an HTTP port by %j", (port) => {
    expect(said(ports({ port: 80, ...port }))).toEqual([]);
  });

  it("is called by its label alone while no canary needs a gate", () => {
    const pods = [foundPod("v1", { labels: { version: "v1", "app.kubernetes.io/version": "1" } })];
    expect(said({ pods }, { canary: undefined })).toEqual([]);
  });

  it("shows every thing at once", () => {
    const pods = [foundPod("v1", { hasSidecar: false, serviceAccount: "default" })];
    expect(said({ pods, ...ports({ port: 8080 }) })).toHaveLength(4);
  });
});

describe("the absence of a version", () => {
  const of = (pods: FoundWorkload["pods"], version = "v2") =>
    absence(existing, foundWorkload({ pods }), version);

  it("is none where a pod is ready", () => {
    expect(of([foundPod("v2"), foundPod("v2", { isReady: false })])).toBeUndefined();
  });

  it.each<[string, FoundWorkload["pods"], string]>([
    ["no pods", [], "no pod has version=v2; it selects no pod"],
    [
      "pods of other versions",
      [foundPod("v1"), foundPod("v1"), foundPod("v3"), foundPod("", { labels: {} })],
      "no pod has version=v2; it selects 1 with no such label, 1 with version=v3, 2 with version=v1",
    ],
    [
      "pods that are not ready",
      [foundPod("v2", { isReady: false })],
      "none of the 1 pods with version=v2 is ready (user-service-v2)",
    ],
    [
      "pods without a sidecar",
      [foundPod("v2", { hasSidecar: false })],
      "none of the 1 pods with version=v2 is ready (user-service-v2)",
    ],
  ])("is told where there are %s", (_, pods, text) => {
    expect(of(pods)).toBe(text);
  });
});
