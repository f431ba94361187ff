import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { AwayClusters } from "../../../stacks/away-clusters.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { settings, type ConfigOptions } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const KNOWN = {
  network: "network-b",
  istioVersion: "1.31.0",
  caExpires: "2027-01-01T00:00:00.000Z",
  gateways: { eastWest: ["203.0.113.9"], ingress: ["203.0.113.10"] },
  traffic: { "user/user-service": { v1: 90, v2: 10 } },
};
const STACKS = { "organization/istio-canary/test": { clusters: { "cluster-b": KNOWN } } };

/** The program over three clusters, of which the second is away. */
async function recorded(options: ConfigOptions = {}): Promise<Recording> {
  const recording = await recordProgram(STACKS);
  const config = settings({
    clusters: 3,
    services: 2,
    weight: 30,
    away: ["cluster-b"],
    ...options,
  });
  const away = await AwayClusters.find(config);
  await away.mustBeLeftOut(config);
  const mesh = installMesh(config);
  const plan = planRelease(config, []);
  releaseServices(config, mesh.clusters, plan, { absent: away.gateways });
  await recording.settle();
  return recording;
}

describe("a cluster that is away", () => {
  let program: Recording;

  beforeEach(async () => {
    program = await recorded();
  });

  it("has nothing registered but what says whether it is left out", () => {
    const provider = program.named("cluster-b", "kubernetes");
    const there = program.resources.filter(
      (each) => each.provider === "cluster-b" || program.waitsFor(each, provider),
    );
    expect(there.map(({ name }) => name)).toEqual(["away-cluster-b"]);
  });

  it("is led to from the others as ever", () => {
    const entry = program.named("user-service.user-cluster-b-from-cluster-a-entry");
    expect(entry.inputs).toMatchObject({ spec: { endpoints: [{ address: "203.0.113.9" }] } });
    const rule = program.named("user-service.user-cluster-b-from-cluster-a-rule");
    for (const cluster of ["cluster-a", "cluster-c"]) {
      const weights = program.named(`user-service.user-route-${cluster}-weights`);
      expect(program.waitsFor(weights, rule)).toBe(true);
    }
    // What lets an istiod read it is made of what is there.
    const secrets = program.resources.filter(({ name }) => /^remote-secret-.*cluster-b/.test(name));
    expect(secrets).toEqual([]);
  });
});

describe("a cluster that the others send nothing", () => {
  it("has hosts without endpoints, as Istio takes only for STATIC", async () => {
    const recording = await recordProgram(STACKS);
    const config = { ...settings({ clusters: 3 }), closed: ["cluster-b"] };
    const { clusters } = installMesh(config);
    releaseServices(config, clusters, planRelease(config, []));
    await recording.settle();
    const specOf = (name: string) => recording.named(`user-service.user-${name}-entry`).inputs;
    expect(specOf("cluster-b-from-cluster-a")).toMatchObject({
      spec: { resolution: "STATIC", endpoints: [] },
    });
    expect(specOf("cluster-a-from-cluster-b")).not.toMatchObject({ spec: { endpoints: [] } });
    const labelOf = (name: string) =>
      recording.named(`remote-secret-${name}-kubeconfig`).inputs["metadata"];
    expect(labelOf("cluster-b-in-cluster-a")).toMatchObject({
      labels: { "istio/multiCluster": "false" },
    });
    expect(labelOf("cluster-a-in-cluster-b")).toMatchObject({
      labels: { "istio/multiCluster": "true" },
    });
  });
});

describe("what is known of a cluster that is away", () => {
  it("is what the last complete update has said", async () => {
    const recording = await recordProgram(STACKS);
    const away = await AwayClusters.find({ away: ["cluster-b"] });
    expect(away.known("cluster-b")).toEqual(KNOWN);
    expect(away.known("cluster-a")).toBeUndefined();
    expect(away.gateways).toEqual(new Map([["cluster-b", ["203.0.113.9"]]]));
    expect(away.traffic).toEqual({ "cluster-b": KNOWN.traffic });
    await recording.settle();
  });

  it("is nothing where no update was complete there, and then it cannot be away", async () => {
    await recordProgram();
    await expect(AwayClusters.find({ away: ["cluster-b"] })).rejects.toThrow(
      [
        "A cluster cannot be left out (Pulumi.test.yaml):",
        ` - away[0]: must be a cluster that this stack has been updated in, got "cluster-b". Its last complete update says nothing of it. Take it out of the config until it answers: pulumi config rm --path 'away[0]'`,
      ].join("\n"),
    );
  });
});

describe("an update that does not leave a cluster out", () => {
  it("is refused with the command to run, in a preview too", async () => {
    const hooks = vi.spyOn(pulumi, "ResourceHook");
    await recorded({ clusters: 2, services: 1 });
    const [name, refuse, options] = hooks.mock.calls[0] ?? [];
    expect(name).toBe("istio-canary-away");
    expect(options).toEqual({ onDryRun: true });
    expect(() => refuse?.({ urn: "", id: "", name: "", type: "" })).toThrow(
      [
        "The config says that cluster-b is away, but this command does not leave out what is there. Run it as:",
        "  pulumi up --stack test --exclude '**:providers:kubernetes::cluster-b' --exclude-dependents",
        "The commands of npm run release do so by themselves. Once the API server answers again: pulumi config rm away && pulumi up",
      ].join("\n"),
    );
    hooks.mockRestore();
  });

  it("would make a resource that stands for the cluster's", async () => {
    const program = await recorded({ clusters: 2, services: 1 });
    const standing = program.named("away-cluster-b");
    const provider = program.named("cluster-b", "kubernetes");
    expect(standing.dependencies).toEqual([provider.urn]);
    // Whatever else is registered comes after.
    const first = program.resources.findIndex(({ type }) => type.startsWith("kubernetes:"));
    expect(program.resources.indexOf(standing)).toBeLessThan(first);
  });
});
