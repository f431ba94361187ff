import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { AwayClusters } from "../../../stacks/away-clusters.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { settings, type ConfigOptions } from "../../helpers/fixtures.ts";
import { recordProgram, valueOf, type Recording, type Registered } from "../../helpers/mocks.ts";

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
  const mesh = installMesh(config, undefined, away);
  releaseServices(config, mesh.clusters, planRelease(config, []));
  await recording.settle();
  return recording;
}

/** What the engine leaves out with the provider of cluster-b, and all that depends on that. */
function leftOut({ resources }: Recording): readonly Registered[] {
  const urns = new Set<string>();
  const isOut = ({ provider, parentUrn, dependencies }: Registered) =>
    provider === "cluster-b" || urns.has(parentUrn) || dependencies.some((urn) => urns.has(urn));
  for (const each of resources) {
    const isProvider = each.type === "pulumi:providers:kubernetes";
    if (isProvider ? each.name === "cluster-b" : isOut(each)) urns.add(each.urn);
  }
  return resources.filter(({ urn }) => urns.has(urn));
}

describe("a cluster that is away", () => {
  let program: Recording;

  beforeEach(async () => {
    program = await recorded();
  });

  it("is left out, and nothing of the others but what leads to it", () => {
    const out = leftOut(program);
    const inOthers = out.filter(({ provider }) => ["cluster-a", "cluster-c"].includes(provider));
    expect(out.some(({ provider }) => provider === "cluster-b")).toBe(true);
    // In its place: service entries for its hosts, and the ways of istiods into and out of it.
    expect(
      inOthers.filter(
        ({ name }) =>
          !/-cluster-b-from-cluster-[ac]/.test(name) &&
          !/^remote-secret-(cluster-b-in-cluster-[ac]|cluster-[ac]-in-cluster-b)/.test(name),
      ),
    ).toEqual([]);
    expect(inOthers.some(({ name }) => name.includes("-cluster-b-from-cluster-a"))).toBe(true);
  });

  it("keeps the order: what is there waits for the others' as ever", () => {
    const weights = program.named("user-service.user-route-cluster-b-weights");
    const rule = program.named("user-service.user-route-cluster-a-rule");
    expect(program.waitsFor(weights, rule)).toBe(true);
    const others = program.named("user-service.user-route-cluster-c-weights");
    expect(program.waitsFor(others, rule)).toBe(true);
    expect(program.waitsFor(others, program.named("user-service.user-route-cluster-b-rule"))).toBe(
      false,
    );
  });

  it("is not read", () => {
    const read = program.resources.filter(({ name }) => name.endsWith("gateway-cluster-b-service"));
    expect(read).toEqual([]);
    expect(program.named("east-west-gateway-cluster-a-service").provider).toBe("cluster-a");
  });
});

describe("what is known of a cluster that is away", () => {
  it("is what the last complete update has said", async () => {
    const recording = await recordProgram(STACKS);
    const away = await AwayClusters.find({ away: ["cluster-b"] });
    expect(away.known("cluster-b")).toEqual(KNOWN);
    expect(away.known("cluster-a")).toBeUndefined();
    const config = settings({ away: ["cluster-b"] });
    const [, second] = installMesh(config, undefined, away).clusters;
    await recording.settle();
    expect(second && (await valueOf(second.eastWestAddresses))).toEqual(["203.0.113.9"]);
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
