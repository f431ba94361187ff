import { describe, expect, it } from "vitest";
import { podsOf } from "../../../lib/pods.ts";
import { releaseName } from "../../../stacks/judged.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { wantedBy } from "../../../stacks/wanted.ts";
import { existingSettings } from "../../helpers/existing.ts";
import { deployedCluster, KEY, split } from "../../helpers/deployed.ts";
import { rawConfig, settings } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";
import { parseConfig } from "../../../stacks/config.ts";

const CLUSTERS = ["cluster-a", "cluster-b", "cluster-c"];
const image = "registry.example.com/user-service:v1";

/** Clusters in which stable has these variables. */
const deployed = (env: Readonly<Record<string, string>>) =>
  CLUSTERS.map((name) => {
    const cluster = deployedCluster(name, split("v1", "v2", 10));
    const pods = { v1: podsOf({ name: "user-service" }, { image, env }) };
    const routes = [...cluster.routes].map(([key, route]) => [key, { ...route, pods }] as const);
    return { ...cluster, routes: new Map(routes) };
  });

/** For each cluster's Deployment of stable, whether it waits for that of the one before. */
async function waits(env: Readonly<Record<string, string>>) {
  const program = await recordProgram();
  const config = settings({ weight: 10, clusters: 3 });
  releaseServices(config, installMesh(config).clusters, planRelease(config, deployed(env)));
  await program.settle();
  const stable = (cluster: string) =>
    program.named(`user-service.user-${cluster}-v1`, ":Deployment");
  return CLUSTERS.slice(1).map((cluster, i) =>
    program.waitsFor(stable(cluster), stable(CLUSTERS[i] ?? "")),
  );
}

describe("the pods of a version that serves requests", () => {
  it("are rolled in one cluster after the other, and in an update that needs it alone", async () => {
    expect(await waits({ LEVEL: "debug" })).toEqual([true, true]);
    expect(await waits({})).toEqual([false, false]);
  });

  it("are wanted as they are configured, where the program makes them", () => {
    const raw = rawConfig();
    const services = raw.services.map((service) => ({
      ...service,
      env: { LEVEL: "info" },
      canary: { ...service.canary, env: { CACHE: "redis" }, args: ["--fast"] },
    }));
    const { settings: config } = parseConfig({ ...raw, services });
    if (!config) throw new Error("the configuration is wrong");
    expect(wantedBy(config).routes[0]?.pods).toMatchObject({
      v1: { image, env: { LEVEL: "info" }, args: [] },
      v2: { env: { LEVEL: "info", CACHE: "redis" }, args: ["--fast"] },
    });
    expect(wantedBy(existingSettings()).routes[0]?.pods).toBeUndefined();
  });
});

describe("a canary with a configuration of its own", () => {
  const base = settings();
  const canary = (own: object) => ({
    ...base,
    services: base.services.map((service) => ({
      ...service,
      canary: service.canary && { ...service.canary, ...own },
    })),
  });
  const nameOf = (own: object) => releaseName(canary(own));

  it("is another release with another one, and the same as before without any", () => {
    const plain = `${KEY} v2 (registry.example.com/user-service:v2`;
    expect(nameOf({})).toBe(`${plain})`);
    const names = [
      nameOf({ env: { A: "1" } }),
      nameOf({ env: { A: "2" } }),
      nameOf({ args: ["--a"] }),
      nameOf({ resources: { requests: { cpu: "1" } } }),
    ];
    for (const name of names) {
      expect(name.startsWith(`${plain}; configuration `)).toBe(true);
      expect(name).toMatch(/; configuration [0-9a-f]{8}\)$/);
    }
    expect(new Set(names).size).toBe(names.length);
    expect(nameOf({ env: { A: "1", B: "2" } })).toBe(nameOf({ env: { B: "2", A: "1" } }));
  });

  it("is routed as one without", () => {
    const [service] = base.services;
    const [own] = canary({ env: { A: "1" }, args: [], resources: {} }).services;
    if (!service || !own) throw new Error("there is no service");
    expect(routingDigest(base, own, "cluster-a")).toBe(routingDigest(base, service, "cluster-a"));
  });
});
