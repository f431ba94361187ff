import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { findIstio } from "../../../fleet/existing-istio/find-istio.ts";
import type { FoundIstio, NoIstio } from "../../../lib/existing-istio/found.ts";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type ReleaseStackSettings } from "../../../stacks/config.ts";
import { istioProblems } from "../../../stacks/existing-istio-problems.ts";
import { findMesh, type FoundMesh } from "../../../stacks/existing-istio.ts";
import { joinMesh, meshStackOf } from "../../../stacks/mesh-stack.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { existingIstioConfig, foundIstio } from "../../helpers/existing-istio.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { runProgram, type ProgramRun } from "../../helpers/run-program.ts";

vi.mock(import("../../../fleet/existing-istio/find-istio.ts"), () => ({
  findIstio: vi.fn<typeof findIstio>(),
}));
// Nothing is deployed: the clusters of the fixture are nowhere.
vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: (clusters) =>
    Promise.resolve(
      clusters.map(({ name }) => ({ name, unreachable: undefined, routes: new Map() })),
    ),
}));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: () => Promise.resolve({}),
  writeNotes: () => Promise.resolve(),
}));

type Found = FoundIstio | NoIstio | Error;

/** Has the clusters give these, by their letters. */
function clustersHave(a: Found = foundIstio("a"), b: Found = foundIstio("b")): void {
  vi.mocked(findIstio).mockImplementation(({ name }: ClusterClient) => {
    const found = name === "cluster-a" ? a : b;
    return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
  });
}

beforeEach(() => {
  clustersHave();
});

/** What a last update has said of a cluster that is away. */
const saidOf = (network: string) => ({
  "cluster-b": {
    ...{ network, istioVersion: "1.31.0", caExpires: "2028-01-01T00:00:00.000Z" },
    gateways: { eastWest: ["203.0.113.2"], ingress: [] },
    traffic: { "user/user-service": { v1: 100 } },
  },
});

async function meshOf(raw: object = existingIstioConfig(), said?: unknown): Promise<FoundMesh> {
  const mesh = await findMesh({ ...raw }, () => Promise.resolve(said));
  if (!mesh) throw new Error("the fixture is wrong");
  return mesh;
}

/** The settings of a right configuration. */
async function settingsOf(raw: object = existingIstioConfig()): Promise<ReleaseStackSettings> {
  const { settings, problems } = parseConfig({ ...raw }, new Date(), await meshOf(raw));
  if (!settings || !("meshStack" in settings)) {
    throw new Error(problems.map(problemLine).join("\n"));
  }
  return settings;
}

describe("the mesh that others have installed", () => {
  it("is read from the clusters, as far as services need it", async () => {
    clustersHave(
      foundIstio("a", { trustDomain: "shop.example.com", revision: "1-31-0" }),
      foundIstio("b", {
        trustDomain: "shop.example.com",
        roots: [{ fingerprint: "ab".repeat(32), expires: "2035-01-01T00:00:00.000Z" }],
      }),
    );
    const raw = existingIstioConfig();
    const mesh = await meshOf(raw);
    expect(mesh.findings).toEqual([]);
    expect(mesh).toMatchObject({
      istio: "existing",
      id: "prod-mesh",
      oneNetwork: false,
      rootCaExpires: "2035-01-01T00:00:00.000Z",
      mesh: {
        trustDomain: "shop.example.com",
        clusterDomain: "cluster.local",
        env: "prod",
        ownPrometheus: false,
        clusters: [
          { name: "cluster-a", context: "prod-a", kubeconfig: raw.kubeconfig },
          { name: "cluster-b", context: "prod-b", kubeconfig: raw.kubeconfig },
        ],
        ingress: { gateway: "edge/public" },
      },
    });
    expect(mesh.clusters["cluster-a"]).toEqual({
      network: "network-a",
      istioVersion: "1.31.0",
      caExpires: "2028-01-01T00:00:00.000Z",
      gateways: { eastWest: ["203.0.113.1"], ingress: ["198.51.100.1"] },
      revision: "1-31-0",
      traffic: {},
    });
  });

  it("is asked for the revision and the Gateway of the config", async () => {
    await meshOf({ ...existingIstioConfig(), mesh: { istio: "existing", revision: "1-31-0" } });
    expect(vi.mocked(findIstio).mock.lastCall?.[1]).toEqual({
      revision: "1-31-0",
      gateway: "edge/public",
    });
  });

  it("is none where the program installs Istio, or another stack has", async () => {
    const none = () => Promise.resolve(undefined);
    expect(await findMesh(rawConfig(), none)).toBeUndefined();
    expect(
      await findMesh({ ...existingIstioConfig(), meshStack: "organization/p/mesh" }, none),
    ).toBeUndefined();
    expect(findIstio).not.toHaveBeenCalled();
  });

  it("is not known of a cluster that does not answer, or has none: nothing is taken from the others for it", async () => {
    clustersHave(foundIstio("a"), new Error("no answer"));
    const unread = await meshOf();
    expect(Object.keys(unread.clusters)).toEqual(["cluster-a"]);
    expect(unread.oneNetwork).toBe(false);
    expect(unread.findings.map((each) => [each.kind, each.unread, problemLine(each)])).toEqual([
      [
        "harm",
        "cluster-b",
        ' - clusters[1].context: must lead to a cluster whose Istio can be read, but cluster-b says: no answer, got "prod-b". Give the kubeconfig\'s user the rights that docs/permissions.md lists.',
      ],
    ]);
    clustersHave(foundIstio("a"), { rule: "must lead to a primary cluster", fix: "Do." });
    expect((await meshOf()).findings.map((each) => [each.kind, problemLine(each)])).toEqual([
      ["harm", ' - clusters[1].context: must lead to a primary cluster, got "prod-b". Do.'],
    ]);
  });

  it("is not asked for in a cluster that is away, whose network the last update tells", async () => {
    clustersHave(new Error("asked"), foundIstio("b"));
    const raw = { ...existingIstioConfig(), away: ["cluster-a"] };
    const said = { "cluster-a": saidOf("network-a")["cluster-b"] };
    const mesh = await meshOf(raw, said);
    expect(mesh.findings).toEqual([]);
    expect(Object.keys(mesh.clusters)).toEqual(["cluster-b"]);
    expect(mesh.oneNetwork).toBe(false);
    expect((await meshOf(raw, { "cluster-a": { network: "network-b" } })).oneNetwork).toBe(true);
    for (const nothing of [undefined, {}, { "cluster-a": "text" }]) {
      expect((await meshOf(raw, nothing)).oneNetwork).toBe(false);
    }
    clustersHave(new Error("asked"), { rule: "must lead to a primary cluster", fix: "Do." });
    expect((await meshOf(raw, said)).findings.map(({ path }) => path)).toEqual([
      "clusters[1].context",
    ]);
  });

  it("counts what the config says of it, and no default", async () => {
    clustersHave(
      foundIstio("a", { clusterDomain: "shop.local" }),
      foundIstio("b", { clusterDomain: "shop.local" }),
    );
    expect((await settingsOf()).mesh.clusterDomain).toBe("shop.local");
    const said = { istio: "existing", clusterDomain: "cluster.local" };
    const { findings } = await meshOf({ ...existingIstioConfig(), mesh: said });
    expect(findings.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["mesh.clusterDomain", "mesh.clusterDomain"]),
    );
  });
});

describe("the configuration of a stack in others' mesh", () => {
  it("is complete with how the clusters are reached", async () => {
    const settings = await settingsOf();
    expect(settings).toMatchObject({
      ingressGateway: "edge/public",
      oneNetwork: false,
      ownPrometheus: false,
      istioFindings: [],
      clusters: [
        { name: "cluster-a", context: "prod-a" },
        { name: "cluster-b", context: "prod-b" },
      ],
      services: [{ ingressHosts: ["user.example.com"] }],
    });
  });

  const lines = async (change: object, of = existingIstioConfig()) => {
    const raw = { ...of, ...change };
    const found = await findMesh(raw, () => Promise.resolve(undefined));
    return parseConfig(raw, new Date(), found).problems.map(problemLine);
  };
  const ours =
    "must be left out where others have installed Istio, which this program does not change";
  it.each<[string, object, readonly string[]]>([
    [
      "what installs Istio",
      {
        mesh: {
          istio: "existing",
          hub: "registry.example.com/istio",
          eastWestAccess: "needed",
          values: { istiod: {} },
        },
        clusters: [
          { name: "cluster-a", context: "prod-a" },
          { name: "cluster-b", context: "prod-b", values: { eastWest: { replicaCount: 3 } } },
        ],
        certificates: { rotation: "2027" },
        monitoring: { mode: "prometheus" },
      },
      [
        ` - mesh.hub: ${ours}. Remove it.`,
        ` - mesh.eastWestAccess: ${ours}. Remove it.`,
        ` - mesh.values: ${ours}. Remove it.`,
        ` - clusters[1].values: ${ours}. Remove it.`,
        ` - certificates: ${ours}. Remove it with: pulumi config rm certificates`,
        ` - monitoring: ${ours}. Remove it with: pulumi config rm monitoring. Set clusters[].prometheus to the URL of each cluster's Prometheus.`,
      ],
    ],
    [
      "a root key, without showing it",
      { certificates: { root: "hush" } },
      [` - certificates: ${ours}. Remove it with: pulumi config rm certificates`],
    ],
    [
      "hosts of gateways",
      { ingress: { hosts: ["user.example.com"] } },
      [
        ` - ingress.hosts: ${ours}. Remove it: the Gateway object that ingress.gateway names has hosts, certificates and ports.`,
        " - ingress.gateway: must be given. Write the Gateway object that takes requests from outside as NAMESPACE/NAME, or remove ingress.",
        ' - services[0].ingressHosts: must be empty while no Gateway is named, got ["user.example.com"]. Set ingress.gateway to the Gateway object that takes requests for them, as NAMESPACE/NAME, or remove them.',
      ],
    ],
    [
      "a cluster that is to be drained",
      { away: [{ name: "cluster-b", drain: true }] },
      [
        " - away[0].drain: must be false if mesh.istio is existing: the owner's istiods read the cluster, by Secrets of theirs, got true. Leave the cluster as it is: pulumi config set --path 'away[0].drain' false",
      ],
    ],
    [
      "a Gateway without its namespace",
      { ingress: { gateway: "public" } },
      [
        ' - ingress.gateway: must be a Gateway object as NAMESPACE/NAME, got "public". For example: istio-ingress/public.',
        ' - services[0].ingressHosts: must be empty while no Gateway is named, got ["user.example.com"]. Set ingress.gateway to the Gateway object that takes requests for them, as NAMESPACE/NAME, or remove them.',
      ],
    ],
    [
      "a service that does not tell its hosts",
      { services: rawConfig().services },
      [
        " - services[0].ingressHosts: must be given: Gateway edge/public may have hosts of others' services too. Write [] for none, or the hosts that lead to this service.",
      ],
    ],
    [
      "a host of two services",
      {
        services: ["user-service", "order-service"].map((name) => ({
          ...rawConfig().services[0],
          name,
          ingressHosts: ["user.example.com"],
        })),
      },
      [
        ' - services[1].ingressHosts: must leave each path of a host to one service, but user/user-service has all paths of it too (services[0]), got "user.example.com". Give one of the two services ingressPaths, or take the host away from it.',
      ],
    ],
    [
      "no services",
      { services: [] },
      [
        " - services: must list a service: the mesh is others', got []. Add one with name, namespace, port and stable.",
      ],
    ],
    [
      "a context that the kubeconfig does not have",
      {
        clusters: [
          { name: "cluster-a", context: "prod-a" },
          { name: "cluster-b", context: "nobody" },
        ],
      },
      [
        expect.stringMatching(
          /^ - clusters\[1\]\.context: must be a context of the kubeconfig: no such context in /,
        ),
      ],
    ],
    [
      "one cluster",
      { clusters: [{ name: "cluster-a", context: "prod-a" }] },
      [
        ' - clusters: must list at least two clusters, got ["cluster-a"]. Add another one with name, network and context.',
      ],
    ],
  ])("is refused with %s", async (_, change, problems) => {
    expect(await lines(change)).toEqual(problems);
  });

  it("may give all clusters one network", async () => {
    const clusters = existingIstioConfig().clusters.map((each) => ({ ...each, network: "one" }));
    expect(await lines({ clusters })).toEqual([]);
  });

  const installed = "must be left out where the program installs Istio";
  const other =
    "Write it; or, if others have installed Istio in the clusters, set mesh.istio: existing.";
  it("needs more where the program installs Istio", () => {
    const { clusters, ...raw } = rawConfig();
    const [first, second] = clusters;
    const change = {
      mesh: { revision: "1-31-0" },
      clusters: [first, { ...second, network: undefined }],
      ingress: { gateway: "edge/public" },
    };
    expect(parseConfig({ ...raw, ...change }).problems.map(problemLine)).toEqual(
      expect.arrayContaining([
        ` - mesh.id: must be given. ${other}`,
        ` - mesh.istioVersion: must be given. ${other}`,
        ` - mesh.revision: ${installed}. Remove it; or, if others have installed Istio in the clusters, set mesh.istio: existing.`,
        ` - clusters[1].network: must be given. ${other}`,
        ` - ingress.hosts: must be given. ${other}`,
        ` - ingress.gateway: ${installed}. Remove it; or, if others have installed Istio in the clusters, set mesh.istio: existing.`,
      ]),
    );
  });

  it("leads to records of its own where the gateway is others', and else to the same", async () => {
    const of = await settingsOf();
    const [service] = of.services;
    if (!service) throw new Error("the fixture is wrong");
    const digest = (more: Partial<ReleaseStackSettings>) =>
      routingDigest({ ...of, ...more }, service, "cluster-a");
    const ours = digest({ ingressGateway: "istio-ingress/istio-ingressgateway" });
    expect(ours).toBe(digest({ ingressGateway: undefined }));
    expect(digest({})).not.toBe(ours);
    expect(digest({ oneNetwork: true })).not.toBe(digest({}));
  });
});

describe("what the clusters say of others' mesh", () => {
  const finding = (kind: "warning" | "problem" | "harm", unread?: string) => ({
    ...{ kind, path: kind, rule: "must be", fix: "Do.", unread },
  });
  const findings = [finding("warning"), finding("problem"), finding("harm", "cluster-b")];
  const of = (falls: boolean, unreachable?: string) => {
    const deployed = [{ name: "cluster-b", unreachable, routes: new Map() }];
    const { problems, warnings } = istioProblems({ istioFindings: findings }, deployed, {
      routes: [{ falls } as never],
    });
    return [problems, warnings].map((all) => all.map(({ path }) => path));
  };

  it("keeps updates from being made, but not one that lowers a weight, if it does no harm", () => {
    expect(of(false)).toEqual([["problem", "harm"], ["warning"]]);
    expect(of(true)).toEqual([["harm"], ["warning", "problem"]]);
  });

  it("is not told of a cluster of which it is told that it does not answer", () => {
    expect(of(false, "no answer")).toEqual([["problem"], ["warning"]]);
  });

  it("is nothing where the program has installed the mesh", () => {
    expect(istioProblems({}, [], { routes: [] })).toEqual({ problems: [], warnings: [] });
  });

  it("lets nothing be registered while a cluster is unknown, which Pulumi would delete", async () => {
    const settings = await settingsOf();
    const meshStack = { ...settings.meshStack, clusters: {} };
    expect(() => joinMesh({ ...settings, meshStack })).toThrow(
      "nothing is known of the mesh in cluster-a",
    );
  });
});

describe("a stack in others' mesh", () => {
  async function run(more: object = {}): Promise<ProgramRun> {
    return runProgram({ ...existingIstioConfig(), ...more });
  }
  const specs = ({ program }: ProgramRun, kind: string) =>
    program
      .ofType(`kubernetes:networking.istio.io/v1:${kind}`)
      .map(({ inputs }) => inputs["spec"] as Readonly<Record<string, unknown>>);

  it("leaves a cluster that is away as it is, and the others know it by what the last update said", async () => {
    clustersHave(foundIstio("a"), new Error("asked"));
    const away = { ...existingIstioConfig(), away: ["cluster-b"] };
    const { program, outputs } = await runProgram(away, {
      "organization/istio-canary/test": { clusters: saidOf("network-b") },
    });
    expect(outputs).toMatchObject({ clusters: saidOf("network-b") });
    expect(program.named("cluster-b", "kubernetes").type).toBe("pulumi:providers:kubernetes");
    expect(program.resources.filter(({ provider }) => provider === "cluster-b")).toEqual([]);
    const [entry, ...others] = specs({ program, outputs }, "ServiceEntry");
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      hosts: ["user-service.user.cluster-b.mesh"],
      endpoints: [{ address: "203.0.113.2" }],
    });
  });

  it("reaches a cluster that is away at the port that its gateway had", async () => {
    const ofB = foundIstio("b");
    clustersHave(foundIstio("a"), {
      ...ofB,
      eastWest: ofB.eastWest.map((each) => ({ ...each, port: 443 })),
      gateways: ofB.gateways.map((gateway) => ({
        ...gateway,
        servers: gateway.servers.map((server) => ({
          ...server,
          port: server.port === 15_443 ? 443 : server.port,
        })),
      })),
    });
    const entries = (program: ProgramRun) =>
      specs(program, "ServiceEntry").filter(({ hosts }) =>
        JSON.stringify(hosts).includes("cluster-b"),
      );
    const before = await runProgram(existingIstioConfig());
    const { clusters } = before.outputs as { clusters: Record<string, { gateways: object }> };
    expect(clusters["cluster-b"]?.gateways).toMatchObject({ eastWestPort: 443 });
    expect(clusters["cluster-a"]?.gateways).not.toHaveProperty("eastWestPort");
    clustersHave(foundIstio("a"), new Error("asked"));
    const away = { ...existingIstioConfig(), away: ["cluster-b"] };
    const after = await runProgram(away, { "organization/istio-canary/test": { clusters } });
    expect(entries(before)).toHaveLength(1);
    expect(entries(after)).toEqual(entries(before));
    expect(after.outputs).toMatchObject({ clusters: { "cluster-b": clusters["cluster-b"] } });
  });

  it("registers routes, ServiceEntries and workloads, and nothing of the mesh", async () => {
    const { program, outputs } = await run();
    expect([...new Set(program.resources.map(({ type }) => type))].sort()).toEqual([
      "istio-canary:mesh:CanaryRoute",
      "istio-canary:mesh:CanaryWorkload",
      "istio-canary:mesh:CrossClusterServiceEntry",
      "kubernetes:apps/v1:Deployment",
      "kubernetes:core/v1:Namespace",
      "kubernetes:core/v1:Service",
      "kubernetes:core/v1:ServiceAccount",
      "kubernetes:networking.istio.io/v1:DestinationRule",
      "kubernetes:networking.istio.io/v1:ServiceEntry",
      "kubernetes:networking.istio.io/v1:VirtualService",
      "kubernetes:policy/v1:PodDisruptionBudget",
      "pulumi:providers:kubernetes",
    ]);
    expect(outputs).toMatchObject({
      mesh: {
        istio: "existing",
        id: "prod-mesh",
        trustDomain: "cluster.local",
        clusterDomain: "cluster.local",
      },
      clusters: {
        "cluster-a": {
          network: "network-a",
          gateways: { eastWest: ["203.0.113.1"], ingress: ["198.51.100.1"] },
        },
      },
    });
    expect(meshStackOf("o/p/shop", { ...outputs })).toMatchObject({
      rule: "must be a stack that has installed a mesh, but this one uses Istio that others have installed",
    });
  });

  it("binds its routes to the Gateway of the config, and crosses networks by the gateways that were found", async () => {
    const found = await run();
    for (const spec of specs(found, "VirtualService")) {
      expect(spec["gateways"]).toEqual(["mesh", "edge/public"]);
    }
    const endpoints = specs(found, "ServiceEntry").map((spec) => spec["endpoints"]);
    expect(endpoints).toMatchObject([[{ address: "203.0.113.2" }], [{ address: "203.0.113.1" }]]);
  });

  it("has no host that names a cluster where all are in one network", async () => {
    const single = { network: undefined, eastWest: [] };
    clustersHave(foundIstio("a", single), foundIstio("b", single));
    const found = await run();
    expect(specs(found, "ServiceEntry")).toEqual([]);
    for (const spec of specs(found, "VirtualService")) {
      expect(spec["hosts"]).toEqual(["user-service.user.svc.cluster.local", "user.example.com"]);
    }
  });

  it("has sidecars injected by the revision that was found, if it is one", async () => {
    clustersHave(foundIstio("a"), foundIstio("b", { revision: "1-31-0" }));
    const { program } = await run();
    const labels = program
      .ofType("kubernetes:core/v1:Namespace")
      .map(({ inputs }) => (inputs["metadata"] as { labels: unknown }).labels);
    expect(labels).toEqual([{ "istio-injection": "enabled" }, { "istio.io/rev": "1-31-0" }]);
  });

  it("is refused as a whole where the clusters are no mesh, with all that is wrong", async () => {
    clustersHave(foundIstio("a"), foundIstio("b", { meshId: "other", autoMtls: false }));
    await expect(run()).rejects.toThrow(
      /mesh\.id: must be the same in all clusters.*\n.*mesh\.istio: must use mTLS without being told/,
    );
  });
});
