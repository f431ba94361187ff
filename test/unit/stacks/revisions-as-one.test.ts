import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig, type ConfigOptions } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const NEW = "1-31-1";
const both = [{ name: "default" }, { name: NEW, version: "1.31.1" }];

/** What else a configuration says. */
interface More {
  readonly mesh?: object;
  /** Keys of each cluster. */
  readonly cluster?: object;
  readonly keys?: object;
  readonly options?: ConfigOptions;
}

function parsed({ mesh, cluster, keys, options }: More) {
  const raw = rawConfig({ weight: 0, ...options });
  return parseConfig({
    ...{ ...raw, ...keys },
    mesh: { ...raw.mesh, revisions: both, ...mesh },
    clusters: raw.clusters.map((each) => ({ ...each, ...cluster })),
  });
}

function settingsOf(more: More): Settings {
  const { settings, problems } = parsed(more);
  if (!settings || "meshStack" in settings) throw new Error(problems.map(problemLine).join("\n"));
  return settings;
}

/** What the program registers. */
async function registered(more: More): Promise<Recording> {
  const settings = settingsOf(more);
  const program = await recordProgram();
  const { clusters } = installMesh(settings);
  const absent = new Map(settings.away.map((name) => [name, ["203.0.113.9"]]));
  releaseServices(settings, clusters, planRelease(settings, []), { absent });
  await program.settle();
  return program;
}

const dataPlane = ["user", "istio-ingress", "istio-system"].map((namespace) => ({
  ...{ namespace, revision: NEW, clusters: ["cluster-a"] },
}));

describe("each of several control planes", () => {
  it("has what a mesh with one has, and a cluster's own values", async () => {
    const program = await registered({
      mesh: {
        ...{ cni: "installed", podSecurity: "restricted", ipFamilies: ["IPv4", "IPv6"] },
        values: { istiod: { pilot: { env: { A: "mesh", B: "mesh" } } } },
      },
      cluster: { values: { istiod: { pilot: { env: { B: "cluster" } } } } },
    });
    const agent = program.named("istio-cluster-a-cni");
    expect(agent.inputs["version"]).toBe("1.31.1");
    for (const name of ["istio-cluster-a-istiod", `istio-cluster-a-istiod-${NEW}`]) {
      const istiod = program.named(name);
      expect(istiod.inputs["values"], name).toMatchObject({
        global: { proxy: { seccompProfile: { type: "RuntimeDefault" } } },
        env: { ISTIO_DUAL_STACK: "true" },
        pilot: { cni: { enabled: true }, env: { A: "mesh", B: "cluster" } },
      });
      expect(program.waitsFor(istiod, agent), name).toBe(true);
    }
  });

  it("comes from the same registry", async () => {
    const program = await registered({
      mesh: { charts: { repository: "oci://registry.example.com/charts" } },
    });
    expect(program.named(`istio-cluster-a-istiod-${NEW}`).inputs).toMatchObject({
      chart: "oci://registry.example.com/charts/istiod",
      version: "1.31.1",
    });
  });

  it("is read with the token that the mesh's readers have", async () => {
    const program = await registered({ mesh: { readerTokens: "2027-06" } });
    const token = program.named("remote-secret-cluster-a-in-cluster-b-token");
    expect(token.inputs["metadata"]).toMatchObject({
      name: "istio-reader-cluster-b-token-2027-06",
    });
    const of = "remote-secret-cluster-a-in-cluster-b-binding";
    const subjects = [of, `${of}-${NEW}`].map((name) => program.named(name).inputs["subjects"]);
    expect(subjects[0]).toEqual(subjects[1]);
  });
});

describe("namespaces and gateways of a revision", () => {
  it("keep what the mesh says of them", async () => {
    const program = await registered({
      mesh: {
        ...{ cni: "existing", podSecurity: "restricted", eastWestAccess: "needed" },
        values: { eastWest: { imagePullPolicy: "Never" } },
      },
      keys: { dataPlane },
    });
    for (const name of ["user-cluster-a", "ingress-gateway-cluster-a-namespace"]) {
      expect(program.named(name).inputs["metadata"], name).toHaveProperty("labels", {
        "istio.io/rev": NEW,
        "pod-security.kubernetes.io/enforce": "restricted",
      });
    }
    expect(program.named("east-west-gateway-cluster-a-release").inputs["values"]).toMatchObject({
      ...{ revision: NEW, rbac: { enabled: false }, imagePullPolicy: "Never" },
    });
    expect(program.named("ingress-gateway-cluster-a-release").inputs["values"]).toMatchObject({
      revision: NEW,
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    });
  });

  it("are not between clusters in one network", async () => {
    const one = { mesh: { oneNetwork: true }, cluster: { network: "network-a" } };
    expect(parsed({ ...one, keys: { dataPlane } }).problems.map(problemLine)).toEqual([
      ' - dataPlane[2].namespace: must be a namespace that this stack makes: user, istio-ingress, got "istio-system". Move other namespaces by their label, as docs/upgrades.md tells.',
    ]);
    const program = await registered({ ...one, keys: { dataPlane: dataPlane.slice(0, 2) } });
    expect(program.ofType("istio-canary:mesh:EastWestGateway")).toEqual([]);
    expect(program.named("user-cluster-a").inputs["metadata"]).toHaveProperty("labels", {
      "istio.io/rev": NEW,
    });
  });
});

describe("a revision while a cluster is away", () => {
  it("is installed in the others, one after the other", async () => {
    const program = await registered({ options: { clusters: 3, away: ["cluster-b"] } });
    const names = program.resources.map(({ name }) => name);
    expect(names.filter((name) => /^(istio|remote-secret)-.*cluster-b/.test(name))).toEqual([]);
    expect(
      program.waitsFor(
        program.named(`istio-cluster-c-istiod-${NEW}`),
        program.named(`istio-cluster-a-istiod-${NEW}`),
      ),
    ).toBe(true);
  });
});

describe("charts of several versions", () => {
  it("must all be in the directory, and have no digests", () => {
    const directory = "/nowhere";
    const told = parsed({ mesh: { cni: "installed", charts: { directory } } }).problems;
    expect(told.map(({ rule }) => rule)).toEqual(
      ["base", "istiod", "gateway", "cni"].flatMap((chart) =>
        ["1.31.0", "1.31.1"].map((version) => `must hold ${directory}/${chart}-${version}.tgz`),
      ),
    );
    const digests = { istiod: `sha256:${"0".repeat(64)}` };
    const repository = "oci://registry.example.com/charts";
    const pinned = parsed({ mesh: { charts: { repository, digests } } }).problems;
    expect(pinned.map(({ path, rule, fix }) => `${path}: ${rule}. ${fix}`)).toEqual([
      "mesh.charts.digests: must be left out while mesh.revisions has the versions 1.31.0 and 1.31.1: a digest is that of one version's chart. Remove digests until one version is left.",
    ]);
  });
});
