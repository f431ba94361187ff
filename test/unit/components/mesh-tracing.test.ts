import { expect, it } from "vitest";
import { MeshTracing } from "../../../components/index.ts";
import { istiodValues, TRACING_PROVIDER } from "../../../lib/helm-values.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { record } from "../../helpers/component.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

it("puts version and cluster on every span, for the sampled requests", async () => {
  const recording = await record(({ opts }) => {
    new MeshTracing("t", { samplingPercent: 5 }, opts);
  });
  const { type, inputs } = recording.named("t-telemetry");
  expect(type).toBe("kubernetes:telemetry.istio.io/v1:Telemetry");
  const { tracing } = inputs["spec"] as {
    tracing: [{ customTags: object; randomSamplingPercentage: number; providers: object[] }];
  };
  expect(tracing[0]).toMatchObject({
    randomSamplingPercentage: 5,
    providers: [{ name: TRACING_PROVIDER }],
  });
  expect(Object.keys(tracing[0].customTags).sort()).toEqual([
    "k8s.cluster.name",
    "service.version",
  ]);
});

it("names the collector in the mesh config under the provider's name, or nothing", () => {
  const settings = {
    cluster: "cluster-a",
    network: "network-a",
    meshId: "mesh",
    version: "1.31.0",
    trustDomain: "cluster.local",
    clusterDomain: "cluster.local",
  };
  const provider = { service: "otel.obs.svc.cluster.local", port: 4317 };
  const tracing = { collector: provider.service, port: provider.port };
  expect(istiodValues({ ...settings, tracing })).toMatchObject({
    meshConfig: {
      enableTracing: true,
      extensionProviders: [{ name: TRACING_PROVIDER, opentelemetry: provider }],
    },
  });
  expect(JSON.stringify(istiodValues(settings))).not.toContain(TRACING_PROVIDER);
});

it("is in every cluster if it is configured, and in none otherwise", async () => {
  const telemetries = async (tracing: object) => {
    const raw = rawConfig();
    const { settings } = parseConfig({ ...raw, mesh: { ...raw.mesh, ...tracing } });
    if (!settings || "meshStack" in settings) throw new Error("the fixture is wrong");
    const program = await recordProgram();
    installMesh(settings);
    await program.settle();
    return program.ofType("kubernetes:telemetry.istio.io/v1:Telemetry").map(({ name }) => name);
  };
  expect(await telemetries({ tracing: { collector: "otel.obs.svc.cluster.local" } })).toEqual([
    "tracing-cluster-a-telemetry",
    "tracing-cluster-b-telemetry",
  ]);
  expect(await telemetries({})).toEqual([]);
});
