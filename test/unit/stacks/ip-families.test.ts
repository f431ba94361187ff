import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { describeMesh } from "../../../stacks/mesh-stack.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

/** What the program registers that depends on the families of addresses. */
async function registered(ipFamilies?: readonly string[]) {
  const raw = rawConfig();
  const { settings, problems } = parseConfig({
    ...raw,
    mesh: { ...raw.mesh, ...(ipFamilies && { ipFamilies }) },
  });
  if (!settings || "meshStack" in settings) throw new Error(JSON.stringify(problems));
  const program = await recordProgram();
  releaseServices(settings, installMesh(settings).clusters, planRelease(settings, []));
  await program.settle();
  // Services of gateways are read, and have none.
  const specOf = (type: string) => {
    const found = program.ofType(type).find(({ inputs }) => "spec" in inputs);
    return found?.inputs["spec"] as Readonly<Record<string, unknown>>;
  };
  return {
    addresses: specOf("kubernetes:networking.istio.io/v1:ServiceEntry")["addresses"],
    policy: specOf("kubernetes:core/v1:Service")["ipFamilyPolicy"],
    istiod: program.named("istio-cluster-a-istiod").inputs["values"] as object,
    gateway: program.named("east-west-gateway-cluster-a-release").inputs["values"] as object,
    told: describeMesh(settings).ipFamilies,
  };
}

const v4: unknown = expect.stringMatching(/^240\.240\.\d+\.\d+$/);
const v6: unknown = expect.stringMatching(/^2001:2::f0f0:[0-9a-f]+$/);

describe("the families of addresses", () => {
  it("are IPv4 alone where nothing is said, and nothing tells of them", async () => {
    const { addresses, policy, istiod, gateway, told } = await registered();
    expect([addresses, policy, told]).toEqual([[v4], undefined, undefined]);
    expect(JSON.stringify(istiod)).not.toContain("DUAL_STACK");
    expect(gateway).not.toHaveProperty("service");
  });

  it("may be IPv6 alone: hosts that name a cluster have such an address", async () => {
    const { addresses, policy, istiod, told } = await registered(["IPv6"]);
    expect([addresses, policy, told]).toEqual([[v6], undefined, ["IPv6"]]);
    expect(JSON.stringify(istiod)).not.toContain("DUAL_STACK");
  });

  it("may be both: istiod, gateways and services are dual-stack", async () => {
    const { addresses, policy, istiod, gateway } = await registered(["IPv4", "IPv6"]);
    expect([addresses, policy]).toEqual([[v4, v6], "PreferDualStack"]);
    expect(istiod).toMatchObject({
      ipFamilyPolicy: "PreferDualStack",
      env: { ISTIO_DUAL_STACK: "true" },
      meshConfig: {
        defaultConfig: {
          proxyMetadata: { ISTIO_DUAL_STACK: "true", ISTIO_META_DNS_CAPTURE: "true" },
        },
      },
    });
    expect(gateway).toMatchObject({ service: { ipFamilyPolicy: "PreferDualStack" } });
  });
});
