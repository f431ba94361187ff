import { ApiException } from "@kubernetes/client-node";
import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { servedChain } from "../../../fleet/served-chain.ts";
import { findIstio } from "../../../fleet/existing-istio/find-istio.ts";
import { get, getJson } from "../../../fleet/pod-http.ts";
import { selfSigned } from "../../helpers/self-signed.ts";

vi.mock(import("../../../fleet/pod-http.ts"), async (original) => ({
  ...(await original()),
  get: vi.fn<typeof get>(),
  getJson: vi.fn<typeof getJson>(),
}));

vi.mock(import("../../../fleet/served-chain.ts"), () => ({
  servedChain: vi.fn<typeof servedChain>(),
}));

const missing = () => Promise.reject(new ApiException(404, "", undefined, {}));
const items = (...all: readonly object[]) => Promise.resolve({ items: all });

function deployment(revision: string, args: readonly string[] = ["discovery"]) {
  return {
    metadata: {
      name: revision === "default" ? "istiod" : `istiod-${revision}`,
      labels: { "istio.io/rev": revision },
    },
    spec: {
      template: {
        spec: {
          containers: [
            { name: "discovery", args, env: [{ name: "CLUSTER_ID", value: "cluster-a" }] },
          ],
        },
      },
    },
  };
}

const MESH = `
trustDomain: shop.example.com
rootNamespace: istio-config
enableAutoMtls: false
defaultVirtualServiceExportTo: ["."]
defaultDestinationRuleExportTo: ["*"]
defaultConfig:
  meshId: shop-mesh
  proxyMetadata: { ISTIO_META_DNS_CAPTURE: "true" }
`;

const pod = (name: string, labels: object = {}) => ({
  metadata: { name, namespace: "istio-system", uid: name, labels },
});

/** A cluster with one istiod, its gateways and a Gateway object for clients outside. */
function clusterWith(pem: string, more: Readonly<Record<string, unknown>> = {}) {
  const core = {
    readNamespacedConfigMap: ({ name }: { readonly name: string }) =>
      name === "istio-ca-root-cert"
        ? Promise.resolve({ data: { "root-cert.pem": `${pem}\n${pem}` } })
        : name === "istio"
          ? Promise.resolve({ data: { mesh: MESH, meshNetworks: "networks: {}" } })
          : missing(),
    readNamespace: () =>
      Promise.resolve({ metadata: { labels: { "topology.istio.io/network": "network-a" } } }),
    listServiceForAllNamespaces: () =>
      items(
        {
          metadata: {
            namespace: "istio-system",
            name: "istio-eastwestgateway",
            labels: { "topology.istio.io/network": "network-a" },
          },
          spec: { selector: { istio: "eastwestgateway" }, ports: [{ port: 15443 }] },
          status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }, { hostname: "lb" }] } },
        },
        { metadata: { name: "other" }, spec: { ports: [{ port: 80 }] } },
      ),
    listNamespacedService: () =>
      items(
        { spec: { selector: { istio: "edge" }, externalIPs: ["198.51.100.1"] } },
        { spec: { selector: { istio: "other" }, externalIPs: ["198.51.100.2"] } },
        { spec: { externalIPs: ["198.51.100.3"] } },
      ),
    ...more,
  };
  return {
    name: "cluster-a",
    core,
    apps: { listNamespacedDeployment: () => items(deployment("default")), ...more },
    custom: {
      listCustomObjectForAllNamespaces: ({
        resourcePlural,
      }: {
        readonly resourcePlural: string;
      }) =>
        resourcePlural === "gateways"
          ? items({
              metadata: { namespace: "edge", name: "public" },
              spec: {
                selector: { istio: "edge" },
                servers: [{ port: { number: 80, protocol: "HTTP" }, hosts: ["*.example.com"] }],
              },
            })
          : items(
              {
                metadata: { namespace: "istio-config", name: "default" },
                spec: { mtls: { mode: "STRICT" } },
              },
              {
                metadata: { namespace: "shop", name: "some" },
                spec: { selector: { matchLabels: { app: "shop" } } },
              },
            ),
    },
    runningPods: (labels: string) =>
      Promise.resolve(
        labels === "istio=edge"
          ? [pod("edge-1", { istio: "edge" })]
          : labels === "app=istiod,istio.io/rev=default"
            ? [pod("istiod-1"), pod("istiod-2")]
            : [],
      ),
  } as unknown as ClusterClient;
}

describe("the Istio that others have installed in a cluster", () => {
  let pem: string;
  beforeAll(async () => {
    pem = (await selfSigned()).certificate;
    const certificate = new X509Certificate(pem);
    vi.mocked(servedChain).mockResolvedValue([certificate, certificate]);
    vi.mocked(get).mockResolvedValue("1.31.0-0123abc-Clean\n");
    vi.mocked(getJson).mockResolvedValue([
      { id: "cluster-a", syncStatus: "synced" },
      { id: "cluster-b", syncStatus: "synced" },
    ]);
  });

  it("is read from its Deployment, its mesh config, labels, Services and what it says", async () => {
    const { fingerprint256, validToDate } = new X509Certificate(pem);
    const root = {
      fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
      expires: validToDate.toISOString(),
    };
    expect(await findIstio(clusterWith(pem), { gateway: "edge/public" })).toEqual({
      deployment: "istiod",
      revision: "default",
      clusterId: "cluster-a",
      meshId: "shop-mesh",
      trustDomain: "shop.example.com",
      clusterDomain: "cluster.local",
      rootNamespace: "istio-config",
      network: "network-a",
      hasMeshNetworks: false,
      autoMtls: false,
      hides: ["defaultVirtualServiceExportTo"],
      dnsCapture: true,
      running: {
        version: "1.31.0",
        reads: { "cluster-a": "synced", "cluster-b": "synced" },
        authorityExpires: root.expires,
      },
      roots: [root, root],
      eastWest: [
        {
          service: "istio-system/istio-eastwestgateway",
          network: "network-a",
          port: 15443,
          selector: { istio: "eastwestgateway" },
          addresses: ["203.0.113.1", "lb"],
        },
      ],
      gateways: [
        {
          namespace: "edge",
          name: "public",
          selector: { istio: "edge" },
          servers: [{ port: 80, protocol: "HTTP", tlsMode: undefined, hosts: ["*.example.com"] }],
        },
      ],
      peerAuthentications: [
        {
          name: "istio-config/default",
          namespace: "istio-config",
          isForPods: false,
          mode: "STRICT",
        },
        { name: "shop/some", namespace: "shop", isForPods: true, mode: "UNSET" },
      ],
      ingressPods: 1,
      ingressAddresses: ["198.51.100.1"],
    });
  });

  it.each([
    ["443", [{ port: 443, targetPort: 15443 }], { port: 443, targetPort: 15443 }],
    // Istiod takes no gateway whose Service lacks the port, and the common one for what is no number.
    ["443", [{ port: 15443 }], undefined],
    ["https", [{ port: 15443, targetPort: "tls" }], { port: 15443 }],
  ])("says by a label, %s, at which port its gateway is reached", async (said, ports, found) => {
    const service = {
      metadata: {
        namespace: "istio-system",
        name: "gateway",
        labels: {
          "topology.istio.io/network": "network-a",
          "networking.istio.io/gatewayPort": said,
        },
      },
      spec: { ports },
    };
    const cluster = clusterWith(pem, { listServiceForAllNamespaces: () => items(service) });
    const gateway = { service: "istio-system/gateway", network: "network-a" };
    expect(await findIstio(cluster, {})).toMatchObject({
      eastWest: found ? [{ ...gateway, ...found }] : [],
    });
  });

  it("is as Istio takes it where nothing is said", async () => {
    const cluster = clusterWith(pem, {
      readNamespacedConfigMap: () => Promise.resolve({ data: { "root-cert.pem": pem } }),
      readNamespace: () => Promise.resolve({ metadata: {} }),
      listNamespacedDeployment: () =>
        items(deployment("default", ["discovery", "--domain=shop.local", "--plugins"])),
    });
    expect(await findIstio(cluster, {})).toMatchObject({
      clusterDomain: "shop.local",
      meshId: "cluster.local",
      trustDomain: "cluster.local",
      rootNamespace: "istio-system",
      network: undefined,
      autoMtls: true,
      hides: [],
      dnsCapture: false,
      ingressPods: 0,
    });
  });

  it("has no authority that was given where one of its istiods signs by a root of its own", async () => {
    vi.mocked(servedChain).mockResolvedValueOnce([new X509Certificate(pem)]);
    expect(await findIstio(clusterWith(pem), {})).toMatchObject({
      running: { authorityExpires: undefined },
    });
  });

  it("reads no Secret", async () => {
    const cluster = clusterWith(pem);
    const asked: string[] = [];
    const core = new Proxy(cluster.core, {
      get: (target, name, receiver) => {
        asked.push(String(name));
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    await findIstio(Object.assign(cluster, { core }), {});
    expect(asked).toContain("readNamespacedConfigMap");
    expect(asked.filter((name) => name.includes("Secret"))).toEqual([]);
  });

  it("is not known where the API server refuses", async () => {
    const refusal = new ApiException(403, "", { message: "no" }, {});
    const refused = { listServiceForAllNamespaces: () => Promise.reject(refusal) };
    await expect(findIstio(clusterWith(pem, refused), {})).rejects.toBe(refusal);
  });

  it("reads a cluster only if all pods of istiod do", async () => {
    vi.mocked(getJson)
      .mockResolvedValueOnce([
        { id: "cluster-a", syncStatus: "synced" },
        { id: "cluster-b", syncStatus: "synced" },
      ])
      .mockResolvedValueOnce([{ id: "cluster-a", syncStatus: "timeout" }]);
    expect(await findIstio(clusterWith(pem), {})).toMatchObject({
      running: { reads: { "cluster-a": "timeout", "cluster-b": "unknown to one of its pods" } },
    });
  });

  it("has no version while it is upgraded", async () => {
    vi.mocked(get).mockResolvedValueOnce("1.31.1-0123abc-Clean");
    expect(await findIstio(clusterWith(pem), {})).toMatchObject({
      running: { silent: "its pods are of versions 1.31.0 and 1.31.1" },
    });
  });

  it("does not answer where its pods do not", async () => {
    vi.mocked(get).mockRejectedValueOnce(new Error("cannot reach it"));
    expect(await findIstio(clusterWith(pem), {})).toMatchObject({
      running: { silent: "cannot reach it" },
    });
  });

  const revisions = (...all: readonly string[]) => ({
    listNamespacedDeployment: () => items(...all.map((each) => deployment(each))),
    readNamespacedConfigMap: ({ name }: { readonly name: string }) =>
      name === "istio-1-31-0"
        ? Promise.resolve({ data: { mesh: MESH } })
        : name === "istio-ca-root-cert"
          ? Promise.resolve({ data: {} })
          : missing(),
  });

  it("is the revision that is asked for, with its own mesh config", async () => {
    const cluster = clusterWith(pem, revisions("1-30-0", "1-31-0"));
    expect(await findIstio(cluster, { revision: "1-31-0" })).toMatchObject({
      deployment: "istiod-1-31-0",
      revision: "1-31-0",
      meshId: "shop-mesh",
      roots: [],
      running: { silent: "no pod of revision 1-31-0 runs" },
    });
  });

  it.each<[string, readonly string[], string | undefined, string]>([
    [
      "there is none",
      [],
      undefined,
      "must lead to a cluster with a control plane of its own, but cluster-a has no Deployment of istiod in istio-system",
    ],
    [
      "there are several, and none is asked for",
      ["1-31-0", "1-30-0"],
      undefined,
      "must lead to a cluster with one revision of Istio, or mesh.revision must name one: cluster-a has 1-30-0 and 1-31-0",
    ],
    [
      "there is another one",
      ["1-30-0"],
      "1-31-0",
      "must lead to a cluster with revision 1-31-0 of Istio, but cluster-a has 1-30-0",
    ],
    [
      "it has no mesh config",
      ["1-30-0"],
      undefined,
      "must lead to a cluster whose mesh config is in ConfigMap istio-system/istio-1-30-0, which cluster-a does not have",
    ],
  ])("cannot be used where %s", async (_, deployed, revision, rule) => {
    expect(await findIstio(clusterWith(pem, revisions(...deployed)), { revision })).toMatchObject({
      rule,
    });
  });
});
