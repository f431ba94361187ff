import { expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

const inMesh = {
  istiod: { pilot: { env: { A: "mesh", B: "mesh" } } },
  gateway: { service: { annotations: { both: "mesh" } }, imagePullPolicy: "Never" },
  eastWest: { service: { annotations: { way: "east-west" } } },
  ingress: { service: { annotations: { way: "ingress" } } },
};
const inOne = {
  istiod: { pilot: { env: { B: "cluster" } } },
  eastWest: { service: { annotations: { both: "cluster" }, loadBalancerIP: "10.0.0.7" } },
  ingress: { service: { loadBalancerSourceRanges: ["198.51.100.0/24"] } },
};

/** The values of the Helm releases, with keys in the mesh and in its second cluster. */
async function programWith(mesh: object, cluster: object) {
  const program = await recordProgram();
  const raw = rawConfig();
  const { settings, problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, ...mesh },
    clusters: raw.clusters.map((each, i) => (i === 1 ? { ...each, ...cluster } : each)),
  });
  expect(problems).toEqual([]);
  if (!settings || !("certificates" in settings)) throw new Error("the fixture is wrong");
  const { clusters } = installMesh(settings);
  releaseServices(settings, clusters, planRelease(settings, []));
  await program.settle();
  return program;
}

async function valuesWith(mesh: object, cluster: object) {
  const program = await programWith(mesh, cluster);
  return (name: string) => program.named(name).inputs["values"];
}

it("a cluster's values are merged over those of the mesh, each gateway's over those of both", async () => {
  const of = await valuesWith({ values: inMesh }, { values: inOne });
  expect(of("istio-cluster-a-istiod")).toMatchObject({ pilot: { env: { A: "mesh", B: "mesh" } } });
  expect(of("istio-cluster-b-istiod")).toMatchObject({
    pilot: { env: { A: "mesh", B: "cluster" } },
    global: { multiCluster: { clusterName: "cluster-b" } },
  });
  expect(of("east-west-gateway-cluster-a-release")).toMatchObject({
    imagePullPolicy: "Never",
    networkGateway: "network-a",
    service: { annotations: { both: "mesh", way: "east-west" } },
  });
  expect(of("east-west-gateway-cluster-b-release")).toMatchObject({
    imagePullPolicy: "Never",
    service: { annotations: { both: "cluster", way: "east-west" }, loadBalancerIP: "10.0.0.7" },
  });
  expect(of("ingress-gateway-cluster-a-release")).toMatchObject({
    service: { annotations: { both: "mesh", way: "ingress" } },
  });
  expect(of("ingress-gateway-cluster-b-release")).toMatchObject({
    service: {
      annotations: { both: "mesh", way: "ingress" },
      loadBalancerSourceRanges: ["198.51.100.0/24"],
    },
  });
});

it("a mesh chooses what its east-west gateways open and read; the ingress gateways read certificates in any case", async () => {
  const asEver = await valuesWith({}, {});
  expect(asEver("east-west-gateway-cluster-a-release")).not.toHaveProperty("rbac");
  const of = await valuesWith({ eastWestAccess: "needed" }, {});
  expect(of("east-west-gateway-cluster-a-release")).toMatchObject({ rbac: { enabled: false } });
  expect(of("ingress-gateway-cluster-a-release")).not.toHaveProperty("rbac");
});

it("namespaces of services and ingress gateways enforce what the mesh says, and gateways comply", async () => {
  const program = await programWith({ cni: "existing", podSecurity: "restricted" }, {});
  for (const name of ["user-cluster-b", "ingress-gateway-cluster-b-namespace"]) {
    expect(program.named(name).inputs["metadata"]).toMatchObject({
      labels: {
        "istio-injection": "enabled",
        "pod-security.kubernetes.io/enforce": "restricted",
      },
    });
  }
  expect(program.named("ingress-gateway-cluster-b-release").inputs["values"]).toMatchObject({
    securityContext: {
      seccompProfile: { type: "RuntimeDefault" },
      sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
    },
  });
});

it("a standard is refused that init containers of sidecars would break", () => {
  const raw = rawConfig();
  const { problems } = parseConfig({ ...raw, mesh: { ...raw.mesh, podSecurity: "baseline" } });
  expect(problems.map(problemLine)).toEqual([
    " - mesh.podSecurity: must be left out without mesh.cni: pods would be refused for the init container that leads their traffic to the sidecar. Set mesh.cni: installed, or remove it.",
  ]);
});

it("a standard is refused where values give pods the init container all the same", () => {
  const raw = rawConfig();
  const istiod = (enabled: boolean) => ({ istiod: { pilot: { cni: { enabled } } } });
  const lines = (ofMesh: object, ...ofClusters: object[]) => {
    const mesh = { ...raw.mesh, cni: "installed", podSecurity: "restricted", values: ofMesh };
    const clusters = raw.clusters.map((each, i) => ({ ...each, values: ofClusters[i] ?? {} }));
    return parseConfig({ ...raw, mesh, clusters }).problems.map(problemLine);
  };
  const refusal = (path: string) =>
    ` - mesh.podSecurity: must be left out while ${path}.values.istiod.pilot.cni.enabled is false: pods would be refused for the init container that they have then. Remove it, or that value.`;
  expect(lines(istiod(false))).toEqual([refusal("mesh")]);
  expect(lines({}, {}, istiod(false))).toEqual([refusal("clusters[1]")]);
  expect(lines(istiod(true))).toEqual([]);
  // A cluster's own value goes first.
  expect(lines(istiod(false), istiod(true), istiod(true))).toEqual([]);
});

it("values of ingress gateways are refused where there are none", () => {
  const raw = { ...rawConfig(), ingress: {} };
  const { problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, values: { ingress: inMesh.ingress } },
    clusters: raw.clusters.map((each) => ({ ...each, values: { ingress: inOne.ingress } })),
  });
  const rule =
    "must be left out without ingress gateways. Remove it; or give ingress.hosts, for which the gateways take requests.";
  expect(problems.map(problemLine)).toEqual([
    ` - mesh.values.ingress: ${rule}`,
    ` - clusters[0].values.ingress: ${rule}`,
    ` - clusters[1].values.ingress: ${rule}`,
  ]);
});

it("what is said of east-west gateways is refused in a mesh of one network", () => {
  const raw = rawConfig();
  const { problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, oneNetwork: true, eastWestAccess: "needed", values: inMesh },
    clusters: raw.clusters.map((each) => ({
      ...each,
      network: "network",
      values: { eastWest: { replicaCount: 3 } },
    })),
  });
  const rule = "must be left out with mesh.oneNetwork: there are no east-west gateways. Remove it.";
  expect(problems.map(problemLine)).toEqual([
    ` - mesh.eastWestAccess: ${rule}`,
    ` - mesh.values.eastWest: ${rule}`,
    ...raw.clusters.map((_, i) => ` - clusters[${i}].values.eastWest: ${rule}`),
  ]);
});
