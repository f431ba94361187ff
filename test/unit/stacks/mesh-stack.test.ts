import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { describeMesh, readMeshStack, type MeshStack } from "../../../stacks/mesh-stack.ts";
import { kubeconfigFile, rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording, type StackOutputs } from "../../helpers/mocks.ts";
import { runProgram, type ProgramRun } from "../../helpers/run-program.ts";

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

const MESH = "organization/istio-canary/mesh";

/** What belongs to the services, as the engine would see it. */
function servicesIn({ resources }: Recording) {
  return resources
    .filter(({ name }) => name.startsWith("user"))
    .map(({ type, name, inputs, provider, parent }) => ({ type, name, inputs, provider, parent }))
    .sort((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
}

describe("mesh and services as two stacks", () => {
  let one: ProgramRun;
  let mesh: ProgramRun;
  let release: ProgramRun;

  beforeAll(async () => {
    const whole = { ...rawConfig(), weight: 0, monitoring: { mode: "prometheus" } };
    const { services, weight, ...rest } = whole;
    one = await runProgram(whole);
    mesh = await runProgram(rest);
    release = await runProgram(
      {
        meshStack: MESH,
        services: services.map((service) => ({
          ...service,
          ingressHosts: rest.ingress.hosts,
        })),
        weight,
      },
      { [MESH]: mesh.outputs },
    );
  }, 60_000);

  it("register monitoring after all that the weights wait for, so that no weight waits for monitoring", () => {
    const rules = one.program.resources.filter(({ type }) => type.endsWith(":DestinationRule"));
    const monitoring = one.program.resources.filter(({ name }) => name.startsWith("monitoring-"));
    expect(rules.length).toBeGreaterThan(3);
    expect(monitoring.length).toBeGreaterThan(20);
    for (const { name, inPlace } of monitoring) {
      expect([name, rules.filter(({ urn }) => !inPlace.has(urn))]).toEqual([name, []]);
    }
  });

  it("register what they register as one stack, each of it in one of them", () => {
    expect(servicesIn(one.program).length).toBeGreaterThan(20);
    expect(servicesIn(release.program)).toEqual(servicesIn(one.program));
    expect(servicesIn(mesh.program)).toEqual([]);
    const names = ({ program }: { program: Recording }) =>
      program.resources
        .filter(({ type }) => !type.startsWith("pulumi:"))
        .map(({ type, name }) => `${type} ${name}`);
    expect([...names(mesh), ...names(release)].sort()).toEqual(names(one).sort());
  });

  it("are watched over by the mesh's stack alone, which knows no service: each route names its versions", () => {
    const monitoring = ({ program }: { program: Recording }) =>
      program.ofType("istio-canary:mesh:CanaryMonitoring").map(({ name }) => name);
    expect(monitoring(mesh)).toEqual(["monitoring-cluster-a", "monitoring-cluster-b"]);
    expect(monitoring(release)).toEqual([]);
    const configurations = ({ program }: { program: Recording }) =>
      program
        .ofType("kubernetes:core/v1:ConfigMap")
        .filter(({ name }) => name.startsWith("monitoring-"))
        .map(({ name, inputs }) => [name, inputs]);
    expect(configurations(mesh).length).toBeGreaterThan(4);
    expect(configurations(mesh)).toEqual(configurations(one));
    const routes = release.program.ofType("kubernetes:networking.istio.io/v1:VirtualService");
    expect(routes.map(({ provider }) => provider).sort()).toEqual(["cluster-a", "cluster-b"]);
    for (const { inputs } of routes) {
      expect(inputs["metadata"]).toMatchObject({
        labels: { "istio-canary/stable": "v1", "istio-canary/canary": "v2" },
      });
    }
  });

  it("reach the clusters the same way, by providers that have the clusters' names", () => {
    const providers = ({ program }: { program: Recording }) =>
      program.ofType("pulumi:providers:kubernetes").map(({ name, inputs }) => ({ name, inputs }));
    expect(providers(release)).toEqual(providers(one));
    expect(providers(release).map(({ name }) => name)).toEqual(["cluster-a", "cluster-b"]);
  });

  it("tell the same of each cluster, beside what traffic is theirs", () => {
    expect(release.outputs).toEqual({ ...one.outputs, mesh: { stack: MESH } });
    expect(mesh.outputs).toMatchObject({
      weight: 0,
      clusters: { "cluster-a": { traffic: {} }, "cluster-b": { traffic: {} } },
    });
  });

  it("tell each other nothing secret", () => {
    expect(JSON.stringify(mesh.outputs)).not.toMatch(/key of|token of|PRIVATE/);
    expect(mesh.outputs["mesh"]).toEqual({
      trustDomain: "cluster.local",
      clusterDomain: "cluster.local",
      env: "prod",
      ownPrometheus: true,
      clusters: ["a", "b"].map((letter) => ({
        name: `cluster-${letter}`,
        context: `prod-${letter}`,
        kubeconfig: expect.any(String) as unknown,
      })),
      ingress: {
        gateway: "istio-ingress/istio-ingressgateway",
        freeHosts: ["user-service.example.com"],
      },
    });
  });

  it("keep a host that leads to a service of the mesh's own stack from others", () => {
    expect(one.outputs["mesh"]).toMatchObject({ ingress: { freeHosts: [] } });
  });
});

describe("a stack that is to be the mesh's", () => {
  const problem = async (name: string, stacks: StackOutputs) => {
    await recordProgram(stacks);
    const found = await readMeshStack(name);
    return "rule" in found ? problemLine(found) : "";
  };

  it("has to have told of a mesh", async () => {
    expect(await problem(MESH, { [MESH]: { weight: 0 } })).toBe(
      ` - meshStack: must be a stack that has installed a mesh, but its outputs lack mesh, rootCaExpires, clusters, got "${MESH}". ` +
        `Name the stack with the mesh, and first run this version of the program there: pulumi up --stack ${MESH}`,
    );
  });

  it("must not use another one's mesh itself", async () => {
    const stacks = { "o/p/release": { mesh: { stack: MESH } } };
    expect(await problem("o/p/release", stacks)).toBe(
      ` - meshStack: must be a stack that has installed a mesh, but this one uses another stack's, got "o/p/release". Set it with: pulumi config set meshStack ${MESH}`,
    );
  });

  it("must not be the stack itself", async () => {
    expect(await problem("organization/istio-canary/test", {})).toMatch(
      /^ - meshStack: must be a different stack than this one, got /,
    );
  });
});

describe("the configuration of a stack with services in another stack's mesh", () => {
  let kubeconfig: string;
  let mesh: MeshStack;
  beforeEach(() => {
    kubeconfig = kubeconfigFile();
    const cluster = (letter: string) => ({ name: `cluster-${letter}`, context: `prod-${letter}` });
    const about = {
      network: "network",
      istioVersion: "1.31.0",
      caExpires: "2027-01-01T00:00:00.000Z",
      gateways: { eastWest: ["203.0.113.1"], ingress: [] },
      traffic: { "shop/shop-service": { v1: 100 } },
    };
    mesh = {
      name: MESH,
      rootCaExpires: "2037-01-01T00:00:00.000Z",
      clusters: { "cluster-a": about, "cluster-b": about },
      mesh: {
        trustDomain: "example.org",
        clusterDomain: "cluster.local",
        env: "prod",
        ownPrometheus: true,
        clusters: [
          {
            ...cluster("a"),
            kubeconfig: "/of/the/mesh/stack",
            prometheus: "https://a.example.com",
          },
          { ...cluster("b"), kubeconfig: "/of/the/mesh/stack" },
        ],
        ingress: {
          gateway: "istio-ingress/istio-ingressgateway",
          freeHosts: ["user.example.com"],
        },
      },
    };
  });

  const [known] = rawConfig().services;
  const service = (more: object = {}) => ({ ...known, ingressHosts: [], ...more });
  const parse = (more: Readonly<Record<string, unknown>> = {}) =>
    parseConfig({ meshStack: MESH, kubeconfig, services: [service()], ...more }, new Date(), mesh);
  const lines = (more: Readonly<Record<string, unknown>>) => parse(more).problems.map(problemLine);

  it("is complete with the other stack's outputs, and reaches the clusters its own way", () => {
    const { settings, problems } = parse({ weight: 10 });
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      mesh: { trustDomain: "example.org" },
      clusters: [
        { name: "cluster-a", context: "prod-a", kubeconfig },
        { name: "cluster-b", context: "prod-b", kubeconfig },
      ],
      weight: 10,
    });
  });

  it("takes Pulumi's empty defaults for keys that are left out", () => {
    expect(lines({ mesh: {}, clusters: [], certificates: {}, ingress: {} })).toEqual([]);
  });

  it.each<[string, () => Readonly<Record<string, unknown>>, RegExp]>([
    [
      "a name that is no full one",
      () => ({ meshStack: "mesh" }),
      /^ - meshStack: must be the full name of a stack: ORGANIZATION\/PROJECT\/STACK, got "mesh"\. /,
    ],
    [
      "a mesh of its own",
      () => ({ mesh: { id: "prod-mesh", istioVersion: "1.31.0" } }),
      /^ - mesh: must not be given together with meshStack, .* pulumi config rm mesh\. /,
    ],
    [
      "clusters of its own",
      () => ({ clusters: rawConfig().clusters }),
      /^ - clusters: must not be given together with meshStack/,
    ],
    [
      "authorities of its own, without showing them",
      () => ({ certificates: { root: "hush" } }),
      /^ - certificates: must not be given together with meshStack, whose mesh is used as it is\. /,
    ],
    [
      "gateways of its own",
      () => ({ ingress: { hosts: ["user.example.com"] } }),
      /^ - ingress: must not be given together with meshStack/,
    ],
    ["no services", () => ({ services: [] }), /^ - services: must list a service: .* got \[\]\. /],
    [
      "a service in a namespace of the mesh's stack",
      () => ({ services: [service({ namespace: "shop" })] }),
      /^ - services\[0\]\.namespace: must be a namespace of this stack alone, but organization\/istio-canary\/mesh has services in it, got "shop"\. /,
    ],
    [
      "a service that does not tell its hosts",
      () => ({ services: [service({ ingressHosts: undefined })] }),
      /^ - services\[0\]\.ingressHosts: must be given: .* Write \[\] for none, or any of the hosts that organization\/istio-canary\/mesh has for other stacks: user\.example\.com\.$/,
    ],
    [
      "a host that the mesh's stack does not have for others",
      () => ({ services: [service({ ingressHosts: ["shop.example.com"] })] }),
      /^ - services\[0\]\.ingressHosts: must be one of ingress\.hosts of organization\/istio-canary\/mesh that leads to none of its own services: user\.example\.com, got "shop\.example\.com"\. /,
    ],
    [
      "a host for two services",
      () => ({
        services: ["user-service", "order-service"].map((name) =>
          service({ name, ingressHosts: ["user.example.com"] }),
        ),
      }),
      /^ - services\[1\]\.ingressHosts: must leave each path of a host to one service, but user\/user-service has all paths of it too \(services\[0\]\), got "user\.example\.com"\. /,
    ],
    [
      "a cluster in quarantine that the mesh does not have",
      () => ({ quarantine: ["cluster-c"] }),
      /^ - quarantine\[0\]: must be the name of a cluster, got "cluster-c"\. Name one of cluster-a, cluster-b, /,
    ],
    [
      "a kubeconfig that lacks a cluster of the mesh",
      () => ({ kubeconfig: kubeconfigFile(["a"]) }),
      /^ - clusters\[1\]\.context of organization\/istio-canary\/mesh: must be a context of the kubeconfig: no such context in /,
    ],
  ])("is refused with %s", (_, change, problem) => {
    expect(lines(change())).toEqual([expect.stringMatching(problem)]);
  });

  it("is refused with two clusters that this machine's kubeconfig takes for one", () => {
    mesh = {
      ...mesh,
      mesh: {
        ...mesh.mesh,
        clusters: ["cluster-a", "cluster-b"].map((name) => ({ name, context: "prod-a" })),
      },
    };
    expect(lines({})).toEqual([
      expect.stringMatching(
        /^ - clusters\[1\]\.context of .*: must lead to a different API server/,
      ),
    ]);
  });

  it("leads to the same metrics as the mesh's stack", () => {
    const { settings } = parse();
    expect(settings?.ownPrometheus).toBe(true);
    expect(settings?.clusters.map(({ prometheus }) => prometheus)).toEqual([
      "https://a.example.com",
      undefined,
    ]);
  });

  it("may name contexts on this machine alone: no other cluster asks there", () => {
    mesh = {
      ...mesh,
      mesh: { ...mesh.mesh, clusters: [{ name: "cluster-a", context: "local" }] },
    };
    expect(lines({})).toEqual([]);
  });
});

describe("what a stack says of its mesh", () => {
  it("names each cluster's Prometheus: its own, or the one it is configured with", () => {
    const raw = rawConfig();
    const [first, ...others] = raw.clusters;
    const prometheus = "https://prometheus.example.com";
    const { settings } = parseConfig({
      ...raw,
      clusters: [{ ...first, prometheus }, ...others],
      monitoring: { mode: "prometheus" },
    });
    if (!settings || "meshStack" in settings) throw new Error("it is no mesh");
    expect(describeMesh(settings)).toMatchObject({
      ownPrometheus: true,
      clusters: [{ prometheus }, expect.not.objectContaining({ prometheus })],
    });
  });
});

describe("docs/stacks.md", () => {
  it("shows two files that go together", () => {
    const page = readFileSync(new URL("../../../docs/stacks.md", import.meta.url), "utf8");
    const [mesh, release] = [...page.matchAll(/```yaml\n(config:\n[^`]+)```/g)].map(
      ([, text = ""]) => {
        const { config } = load(text) as { config: Readonly<Record<string, unknown>> };
        const keys = Object.entries(config).map(([key, value]) => [key.split(":")[1] ?? "", value]);
        return { kubeconfig: kubeconfigFile(), ...(Object.fromEntries(keys) as object) };
      },
    );
    const { settings, problems } = parseConfig({ ...mesh });
    expect(problems).toEqual([]);
    if (!settings || "meshStack" in settings) throw new Error("the first one is no mesh");
    const described = {
      name: MESH,
      rootCaExpires: "",
      clusters: {},
      mesh: describeMesh(settings),
    };
    expect(parseConfig({ ...release }, new Date(), described).problems).toEqual([]);
    expect(release).toMatchObject({ meshStack: MESH });
  });
});
