import type { IstioPlace, WantedMesh } from "../../lib/existing-istio/finding.ts";
import type { FoundIstio } from "../../lib/existing-istio/found.ts";
import { kubeconfigFile, rawConfig } from "./fixtures.ts";

/** The selector of the Services of east-west gateways, as Istio's chart has it. */
const EAST_WEST = { app: "istio-eastwestgateway", istio: "eastwestgateway" };

/** What a cluster of a mesh over two networks has where all is well. */
export function foundIstio(letter: string, more: Partial<FoundIstio> = {}): FoundIstio {
  return {
    deployment: "istiod",
    revision: "default",
    clusterId: `cluster-${letter}`,
    meshId: "prod-mesh",
    trustDomain: "cluster.local",
    clusterDomain: "cluster.local",
    rootNamespace: "istio-system",
    network: `network-${letter}`,
    hasMeshNetworks: false,
    autoMtls: true,
    hides: [],
    dnsCapture: true,
    running: {
      version: "1.31.0",
      reads: { "cluster-a": "synced", "cluster-b": "synced" },
      authorityExpires: "2028-01-01T00:00:00.000Z",
    },
    roots: [{ fingerprint: "ab".repeat(32), expires: "2036-01-01T00:00:00.000Z" }],
    eastWest: [
      {
        service: "istio-system/istio-eastwestgateway",
        network: `network-${letter}`,
        port: 15443,
        targetPort: 15443,
        selector: EAST_WEST,
        addresses: [letter === "a" ? "203.0.113.1" : "203.0.113.2"],
      },
    ],
    gateways: [
      {
        namespace: "istio-system",
        name: "cross-network-gateway",
        selector: { istio: "eastwestgateway" },
        servers: [
          { port: 15443, protocol: "TLS", tlsMode: "AUTO_PASSTHROUGH", hosts: ["*.local"] },
        ],
      },
      {
        namespace: "edge",
        name: "public",
        selector: { istio: "edge" },
        servers: [
          { port: 80, protocol: "HTTP", tlsMode: undefined, hosts: ["*.example.com"] },
          { port: 443, protocol: "HTTPS", tlsMode: "SIMPLE", hosts: ["user/shop.example.org"] },
          { port: 8443, protocol: "TLS", tlsMode: "PASSTHROUGH", hosts: ["*"] },
        ],
      },
    ],
    peerAuthentications: [
      {
        name: "istio-system/default",
        namespace: "istio-system",
        isForPods: false,
        mode: "STRICT",
      },
    ],
    ingressPods: 2,
    ingressAddresses: ["198.51.100.1"],
    ...more,
  };
}

/** Both clusters, and what was found in them. */
export function places(
  a: Partial<FoundIstio> = {},
  b: Partial<FoundIstio> = {},
): readonly IstioPlace[] {
  return [foundIstio("a", a), foundIstio("b", b)].map((found, i) => ({
    cluster: { name: `cluster-${"ab"[i] ?? ""}` },
    path: `clusters[${i}]`,
    found,
  }));
}

/** A configuration that says as little as it may. */
export const wanted: WantedMesh = {
  clusters: places().map(({ cluster }) => cluster),
  services: [{ namespace: "user", ingressHosts: ["user.example.com"] }],
  gateway: "edge/public",
};

/** The same, as it is written. */
export function existingIstioConfig() {
  const [service] = rawConfig().services;
  return {
    kubeconfig: kubeconfigFile(),
    mesh: { istio: "existing" },
    clusters: ["a", "b"].map((letter) => ({
      name: `cluster-${letter}`,
      context: `prod-${letter}`,
    })),
    ingress: { gateway: "edge/public" },
    services: [{ ...service, ingressHosts: ["user.example.com"] }],
    weight: 0,
  };
}
