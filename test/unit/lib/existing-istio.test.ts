import { describe, expect, it } from "vitest";
import type { FoundIstio } from "../../../lib/existing-istio/found.ts";
import type { IstioFinding, IstioPlace, WantedMesh } from "../../../lib/existing-istio/finding.ts";
import {
  eastWestAddresses,
  eastWestPort,
  gatewayFindings,
  haveOwnNetworks,
} from "../../../lib/existing-istio/gateway-rules.ts";
import { meshFindings } from "../../../lib/existing-istio/mesh-rules.ts";
import { isSupportedIstio, ISTIO_VERSIONS } from "../../../lib/istio-versions.ts";
import { problemLine } from "../../../lib/problems.ts";
import { ISTIO_VERSION } from "../../../lab/toolchain/versions.ts";
import { foundIstio, places, wanted } from "../../helpers/existing-istio.ts";

const all = (of: readonly IstioPlace[], config: WantedMesh = wanted) => [
  ...meshFindings(config, of),
  ...gatewayFindings(config, of),
];
const lines = (findings: readonly IstioFinding[]) =>
  findings.map((each) => `${each.kind}${problemLine(each)}`);
const reads = (b: string) => ({ "cluster-a": "synced", ...(b !== "" && { "cluster-b": b }) });
const running = (version: string, read: Readonly<Record<string, string>> = reads("synced")) => ({
  ...{ version, reads: read, authorityExpires: "2028-01-01T00:00:00.000Z" },
});

describe("the versions of Istio that are supported", () => {
  it("are those that were tried: the lab's is one of them", () => {
    expect(isSupportedIstio(ISTIO_VERSION)).toBe(true);
    expect(ISTIO_VERSIONS).toEqual(["1.31"]);
    expect(isSupportedIstio("1.3.1")).toBe(false);
  });
});

describe("an Istio of others", () => {
  it("is right where all clusters are one mesh, whatever the config leaves out", () => {
    expect(all(places())).toEqual([]);
    expect(all(places(), { ...wanted, gateway: undefined })).toEqual([]);
  });

  it("is right where the config says the same", () => {
    const config = {
      ...wanted,
      id: "prod-mesh",
      istioVersion: "1.31.0",
      trustDomain: "cluster.local",
      clusterDomain: "cluster.local",
    };
    const same = places().map(({ cluster, ...place }) => ({
      ...place,
      cluster: { ...cluster, network: place.found.network },
    }));
    expect(all(same, config)).toEqual([]);
  });

  it("is right in one network, with no gateway between the clusters", () => {
    const single = { network: undefined, eastWest: [] };
    expect(all(places(single, single))).toEqual([]);
    expect(haveOwnNetworks(places(single, single))).toBe(false);
    expect(haveOwnNetworks(places())).toBe(true);
  });

  it("is told all that the config says otherwise, by key and cluster", () => {
    const config = {
      ...wanted,
      id: "shop-mesh",
      istioVersion: "1.30.0",
      trustDomain: "shop.example.com",
      clusterDomain: "shop.local",
    };
    const other = places().map((place, i) => ({
      ...place,
      cluster: { name: i === 0 ? "cluster-x" : "cluster-b", network: `network-${i}` },
    }));
    const fix = (i: number) =>
      `Correct it, or leave it out. If another cluster is meant, correct clusters[${i}].context.`;
    expect(lines(all(other, config))).toEqual(
      ["cluster-x", "cluster-b"].flatMap((name, i) => [
        `problem - mesh.id: must be prod-mesh, which istiod of ${name} has, got "shop-mesh". ${fix(i)}`,
        `problem - mesh.istioVersion: must be 1.31.0, which istiod of ${name} has, got "1.30.0". ${fix(i)}`,
        `harm - mesh.trustDomain: must be cluster.local, which istiod of ${name} has, got "shop.example.com". ${fix(i)}`,
        `harm - mesh.clusterDomain: must be cluster.local, which istiod of ${name} has, got "shop.local". ${fix(i)}`,
        ...(i === 0
          ? [
              'problem - clusters[0].name: must be cluster-a, the cluster\'s name in the mesh (CLUSTER_ID of Deployment istiod), got "cluster-x". Correct it. If another cluster is meant, correct clusters[0].context.',
            ]
          : []),
        `problem - clusters[${i}].network: must be network-${"ab"[i] ?? ""}, as the label topology.istio.io/network of the system namespace says, got "network-${i}". Correct it, or leave it out.`,
      ]),
    );
  });

  it("is told that a cluster has no name that can be configured", () => {
    expect(lines(all(places({ clusterId: "Kubernetes" })))[0]).toBe(
      'problem - clusters[0].name: must be Kubernetes, the cluster\'s name in the mesh (CLUSTER_ID of Deployment istiod), got "cluster-a". Have the owner give the cluster a name that is a DNS label (Helm value global.multiCluster.clusterName).',
    );
  });

  const apart = "Have the owner install the clusters as one mesh, or use other clusters.";
  const given = (key: string, what: string) =>
    `harm - clusters[1].eastWestAddresses: must ${key}. ${what}`;
  const gateway = foundIstio("b").eastWest;
  it.each<[string, Partial<FoundIstio>, string]>([
    [
      "another mesh",
      { meshId: "shop-mesh" },
      `problem - mesh.id: must be the same in all clusters, but is prod-mesh in cluster-a and shop-mesh in cluster-b. ${apart}`,
    ],
    [
      "another version",
      { running: running("1.31.1") },
      `problem - mesh.istioVersion: must be the same in all clusters, but is 1.31.0 in cluster-a and 1.31.1 in cluster-b. ${apart}`,
    ],
    [
      "another trust domain",
      { trustDomain: "b.example.com" },
      `harm - mesh.trustDomain: must be the same in all clusters, but is cluster.local in cluster-a and b.example.com in cluster-b. ${apart}`,
    ],
    [
      "another root",
      { roots: [{ fingerprint: "cd".repeat(32), expires: "" }] },
      "problem - mesh.istio: must have the same root certificates in all clusters, but has abababababababab in cluster-a and cdcdcdcdcdcdcdcd in cluster-b (SHA-256, in ConfigMap istio-ca-root-cert). Have the owner give all clusters intermediate certificates of one root.",
    ],
    [
      "no authority that was given",
      { running: { ...running("1.31.0"), authorityExpires: undefined } },
      "problem - mesh.istio: must sign by a certificate authority from Secret cacerts, which cluster-b does not have. Have the owner give all clusters intermediate certificates of one root in it.",
    ],
    [
      "no automatic mTLS",
      { autoMtls: false },
      "problem - mesh.istio: must use mTLS without being told by rules, but the mesh config of cluster-b says enableAutoMtls: false. Have the owner remove that.",
    ],
    [
      "rules that others do not see",
      { hides: ["defaultVirtualServiceExportTo"] },
      'problem - mesh.istio: must let rules be for all namespaces, but the mesh config of cluster-b says otherwise in defaultVirtualServiceExportTo. Have the owner remove it, or set it to ["*"].',
    ],
    [
      "networks in its mesh config",
      { hasMeshNetworks: true },
      "problem - mesh.istio: must have its networks in labels alone, but the mesh config of cluster-b has meshNetworks. Have the owner label the system namespace and the east-west gateway with topology.istio.io/network instead.",
    ],
    [
      "an istiod that does not read the other cluster",
      { running: running("1.31.0", { "cluster-b": "synced" }) },
      "problem - clusters[1]: must have an istiod that reads cluster-a, but that of cluster-b says that it is unknown there. Have the owner give it a remote secret (istioctl create-remote-secret); see istioctl remote-clusters.",
    ],
    [
      "an istiod that reads the other cluster no more",
      { running: running("1.31.0", { ...reads("synced"), "cluster-a": "timeout" }) },
      "problem - clusters[1]: must have an istiod that reads cluster-a, but that of cluster-b says that it is timeout. Have the owner give it a remote secret (istioctl create-remote-secret); see istioctl remote-clusters.",
    ],
    [
      "an istiod that does not answer",
      { running: { silent: "no pod of revision default runs" } },
      "problem - clusters[1].context: must lead to a cluster whose istiod answers, but that of cluster-b does not: no pod of revision default runs. See kubectl -n istio-system get pods -l app=istiod.",
    ],
    [
      "mTLS that is off for the mesh",
      {
        peerAuthentications: [
          {
            name: "istio-system/off",
            namespace: "istio-system",
            isForPods: false,
            mode: "DISABLE",
          },
          {
            name: "istio-system/default",
            namespace: "istio-system",
            isForPods: false,
            mode: "STRICT",
          },
          { name: "other/off", namespace: "other", isForPods: false, mode: "DISABLE" },
        ],
      },
      "problem - mesh.istio: must have mTLS, which PeerAuthentication istio-system/off of cluster-b turns off: calls from other clusters come by mTLS alone. Have the owner set its mode to STRICT or PERMISSIVE.",
    ],
    [
      "mTLS that is not strict",
      {
        peerAuthentications: [
          { name: "istio-system/some", namespace: "istio-system", isForPods: true, mode: "STRICT" },
        ],
      },
      "warning - mesh.istio: should have strict mTLS, but no PeerAuthentication of the whole mesh says so in cluster-b. This program makes none. Have the owner add one to istio-system, if no client calls in plain text.",
    ],
    [
      "sidecars that answer no DNS",
      { dnsCapture: false },
      'warning - mesh.istio: should let sidecars answer DNS: without it, clients in cluster-b do not find hosts that name a cluster, such as shop.web.cluster-b.mesh. Have the owner set ISTIO_META_DNS_CAPTURE: "true" in defaultConfig.proxyMetadata, if these hosts are called.',
    ],
    [
      "no network beside one that has",
      { network: undefined },
      "harm - clusters[1].network: must be said by the label topology.istio.io/network of namespace istio-system in cluster-b, since other clusters have one. Have the owner give each cluster a network of its own, or all of them the same.",
    ],
    [
      "no east-west gateway",
      { eastWest: [{ ...gateway[0], network: "network-x" } as never] },
      given(
        "lead to an east-west gateway, but cluster-b has no Service with the label topology.istio.io/network: network-b and port 15443, or the one that its label networking.istio.io/gatewayPort says",
        "Have the owner install one.",
      ),
    ],
    [
      "an east-west gateway without an address",
      { eastWest: gateway.map((each) => ({ ...each, addresses: [] })) },
      given(
        "be given: Service istio-system/istio-eastwestgateway of cluster-b has no address",
        "Write the addresses by which the other clusters reach it.",
      ),
    ],
    [
      "an east-west gateway that the checks do not know",
      { eastWest: gateway.map((each) => ({ ...each, selector: { istio: "east-west" } })) },
      given(
        "lead to pods with the label istio: eastwestgateway, by which they are asked whether they hold the canary, but Service istio-system/istio-eastwestgateway of cluster-b does not select by it",
        "Have the owner install the gateway as Istio's documentation does, with the name istio-eastwestgateway.",
      ),
    ],
    [
      "an east-west gateway that lets nothing through",
      { gateways: foundIstio("b").gateways.slice(1) },
      given(
        "lead to a gateway that passes mTLS through, but no Gateway object of cluster-b has a server for its pods with port 15443, tls.mode AUTO_PASSTHROUGH and hosts that cover *.cluster.local",
        "Have the owner expose the services as Istio's documentation does (cross-network-gateway).",
      ),
    ],
    [
      "an east-west gateway that does not go by the server name",
      {
        gateways: foundIstio("b").gateways.map(({ servers, ...each }) => ({
          ...each,
          servers: servers.map((server) => ({ ...server, tlsMode: "PASSTHROUGH" })),
        })),
      },
      given(
        "lead to a gateway that passes mTLS through, but no Gateway object of cluster-b has a server for its pods with port 15443, tls.mode AUTO_PASSTHROUGH and hosts that cover *.cluster.local",
        "Have the owner expose the services as Istio's documentation does (cross-network-gateway).",
      ),
    ],
    [
      "no Gateway of the name",
      { gateways: foundIstio("b").gateways.slice(0, 1) },
      'problem - ingress.gateway: must be a Gateway object in every cluster, but cluster-b has none of this name, got "edge/public". Correct it to NAMESPACE/NAME, or have the owner make it there.',
    ],
    [
      "a Gateway without pods",
      { ingressPods: 0 },
      'problem - ingress.gateway: must select pods that run, but in cluster-b none has the labels {"istio":"edge"}, got "edge/public". Have the owner correct its selector, or start the gateway.',
    ],
  ])("is refused, or warned of, where a cluster has %s", (_, change, line) => {
    expect(lines(all(places({}, change)))).toContain(line);
  });

  it("is refused where no version of it was tried, which is named", () => {
    const old = { running: running("1.29.3") };
    expect(lines(all(places(old, old)))).toEqual(
      ["cluster-a", "cluster-b"].map(
        (name) =>
          `problem - mesh.istio: must be a version that this program supports, 1.31, but istiod of ${name} is 1.29.3. Use a version of this program that supports it, or have the owner install a supported one.`,
      ),
    );
  });

  it("is refused with networks that two clusters have and a third one has not", () => {
    const third = { cluster: { name: "cluster-c" }, path: "clusters[2]", found: foundIstio("a") };
    expect(lines(gatewayFindings(wanted, [...places(), third]))).toEqual([
      "harm - clusters[2].network: must be a network that no other cluster has, or that all have: network-a is that of cluster-a too, but not of all. Have the owner give each cluster a network of its own, or all of them the same.",
    ]);
  });

  it("takes the addresses that the config gives for those of a gateway that has a host name", () => {
    const eastWest = gateway.map((each) => ({ ...each, addresses: ["lb.example.com"] }));
    const [first, second] = places({}, { eastWest });
    if (!first || !second) throw new Error("the fixture is wrong");
    const cluster = { ...second.cluster, eastWestAddresses: ["192.0.2.1"] };
    const configured = { ...second, cluster };
    expect(gatewayFindings(wanted, [first, configured])).toEqual([]);
    expect(eastWestAddresses(configured)).toEqual(["192.0.2.1"]);
    expect(eastWestAddresses(first)).toEqual(["203.0.113.1"]);
    expect(gatewayFindings(wanted, [first, second])).toEqual([]);
    expect(eastWestAddresses(second)).toEqual(["lb.example.com"]);
  });

  it("is reached at the port of its gateway's Service, by whose number or by that of the pods the Gateway lets through", () => {
    const other = { eastWest: gateway.map((each) => ({ ...each, port: 443 })) };
    const [first, second] = places({}, other);
    if (!first || !second) throw new Error("the fixture is wrong");
    expect([first, second].map(eastWestPort)).toEqual([undefined, 443]);
    const configured = { ...second, cluster: { ...second.cluster, eastWestPort: 15443 } };
    expect(eastWestPort(configured)).toBeUndefined();
    expect(gatewayFindings(wanted, [first, second])).toEqual([]);
    const byService = foundIstio("b").gateways.map((each) => ({
      ...each,
      servers: each.servers.map((server) => ({ ...server, port: 443 })),
    }));
    const { eastWest } = other;
    expect(
      gatewayFindings(
        { ...wanted, gateway: undefined },
        places({}, { eastWest, gateways: byService }),
      ),
    ).toEqual([]);
    expect(
      lines(
        gatewayFindings(
          wanted,
          places({}, { eastWest: eastWest.map((each) => ({ ...each, targetPort: 443 })) }),
        ),
      ),
    ).toEqual([
      given(
        "lead to a gateway that passes mTLS through, but no Gateway object of cluster-b has a server for its pods with port 443, tls.mode AUTO_PASSTHROUGH and hosts that cover *.cluster.local",
        "Have the owner expose the services as Istio's documentation does (cross-network-gateway).",
      ),
    ]);
  });

  it.each([
    ["user.example.com", "user", true],
    ["shop.example.org", "user", true],
    ["shop.example.org", "shop", false],
    ["user.example.net", "user", false],
  ])("takes %s for a service in %s: %s", (host, namespace, isTaken) => {
    const config = { ...wanted, services: [{ namespace, ingressHosts: [host] }] };
    expect(lines(gatewayFindings(config, places()))).toEqual(
      isTaken
        ? []
        : ["cluster-a", "cluster-b"].map(
            (name) =>
              `problem - services[0].ingressHosts: must be a host for which Gateway edge/public takes requests to namespace ${namespace} in every cluster, but in ${name} no server of it does, got "${host}". Have the owner add it to the Gateway, or remove it here.`,
          ),
    );
  });
});
