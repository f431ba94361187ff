import { describe, expect, it } from "vitest";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, valueOf } from "../../helpers/mocks.ts";

/** The settings of a mesh in one network. */
function oneNetwork(): Settings {
  const raw = rawConfig();
  const { settings, problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, oneNetwork: true },
    clusters: raw.clusters.map((cluster) => ({ ...cluster, network: "network-a" })),
  });
  if (!settings || "meshStack" in settings) throw new Error(JSON.stringify(problems));
  return settings;
}

describe("a mesh in one network", () => {
  it("has no east-west gateways and no hosts that name a cluster, and reads every cluster", async () => {
    const program = await recordProgram();
    const settings = oneNetwork();
    const { clusters } = installMesh(settings);
    releaseServices(settings, clusters, planRelease(settings, []));
    await program.settle();
    const types = new Set(program.resources.map(({ type }) => type));
    expect(types).not.toContain("istio-canary:mesh:EastWestGateway");
    expect(types).not.toContain("kubernetes:networking.istio.io/v1:ServiceEntry");
    expect(program.ofType("istio-canary:mesh:RemoteSecret")).toHaveLength(2);
    expect(program.ofType("kubernetes:networking.istio.io/v1:VirtualService")).toHaveLength(2);
    for (const { eastWestAddresses } of clusters) {
      expect(await valueOf(eastWestAddresses)).toEqual([]);
    }
    for (const letter of ["a", "b"]) {
      const { values } = program.named(`istio-cluster-${letter}-istiod`).inputs;
      expect(values).toMatchObject({ global: { network: "network-a" } });
    }
  });
});
