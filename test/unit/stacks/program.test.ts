import { beforeAll, describe, expect, it } from "vitest";
import { installMesh } from "../../../stacks/mesh.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices, type Traffic } from "../../../stacks/release.ts";
import { settings } from "../../helpers/fixtures.ts";
import { recordProgram, type Recording, type Registered } from "../../helpers/mocks.ts";

const VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService";
const DESTINATION_RULE = "kubernetes:networking.istio.io/v1:DestinationRule";
const SERVICE_ENTRY = "kubernetes:networking.istio.io/v1:ServiceEntry";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";

interface Route {
  readonly route: readonly { readonly weight?: number; readonly destination: unknown }[];
}
const http = (resource: Registered) => (resource.inputs["spec"] as { http: Route[] }).http;
const metadata = (resource: Registered) =>
  resource.inputs["metadata"] as { name: string; namespace: string };

describe.each([
  { clusters: 2, services: 1 },
  { clusters: 3, services: 2 },
])("the program over $clusters clusters with $services services", (size) => {
  let program: Recording;
  let traffic: Traffic;
  const names = ["cluster-a", "cluster-b", "cluster-c"].slice(0, size.clusters);

  beforeAll(async () => {
    program = await recordProgram();
    const config = settings({ ...size, weight: 30 });
    const mesh = installMesh(config);
    ({ traffic } = releaseServices(config, mesh.clusters, planRelease(config, [])));
    await program.settle();
  });

  it("makes no weight before every cluster has the subsets of every host of every service", async () => {
    const isLast = (name: string) => name.endsWith("-rule") && name.includes(names.at(-1) ?? "");
    const slow = await recordProgram({}, isLast);
    const config = settings({ ...size, weight: 30 });
    releaseServices(config, installMesh(config).clusters, planRelease(config, []));
    await slow.settle();
    for (const weights of slow.ofType(VIRTUAL_SERVICE)) {
      const rules = slow.ofType(DESTINATION_RULE);
      expect(rules).toHaveLength(size.services * size.clusters ** 2);
      for (const rule of rules) {
        expect(weights.inPlace, `${weights.name} for ${rule.name}`).toContain(rule.urn);
      }
    }
  });

  it("removes no subset before the weights of its service in every cluster", () => {
    const rules = program.ofType(DESTINATION_RULE);
    for (const weights of program.ofType(VIRTUAL_SERVICE)) {
      const [service] = weights.name.split(".");
      for (const rule of rules.filter(({ name }) => name.startsWith(`${service ?? ""}.`))) {
        expect(program.waitsFor(weights, rule), `${weights.name} for ${rule.name}`).toBe(true);
      }
    }
  });

  it("gives a VirtualService no more dependencies when there are more services", () => {
    for (const { name, dependencies } of program.ofType(VIRTUAL_SERVICE)) {
      expect(dependencies.length, name).toBeLessThanOrEqual(size.clusters ** 2 + 1);
    }
  });

  it("makes no subset before every cluster runs every version", () => {
    for (const rule of program.ofType(DESTINATION_RULE)) {
      const deployments = program
        .ofType(DEPLOYMENT)
        .filter((deployment) =>
          metadata(rule).name.startsWith(deployment.name.split(".")[0] ?? ""),
        );
      expect(deployments).toHaveLength(size.clusters * 2);
      for (const deployment of deployments) {
        expect(program.waitsFor(rule, deployment), `${rule.name} for ${deployment.name}`).toBe(
          true,
        );
      }
    }
  });

  it("starts no pod before its cluster's istiod can inject the sidecar", () => {
    for (const deployment of program.ofType(DEPLOYMENT)) {
      const istiod = program.named(`istio-${deployment.provider}-istiod`);
      expect(program.waitsFor(deployment, istiod)).toBe(true);
    }
  });

  it("has exactly one VirtualService for each service and cluster", () => {
    const keys = program
      .ofType(VIRTUAL_SERVICE)
      .map((r) => `${r.provider} ${metadata(r).namespace}/${metadata(r).name}`);
    expect(keys).toHaveLength(size.clusters * size.services);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("gives the same weights to every host of every cluster", () => {
    for (const weights of program.ofType(VIRTUAL_SERVICE)) {
      const splits = http(weights).filter(({ route }) => route.length > 1);
      expect(splits).toHaveLength(size.clusters);
      for (const { route } of splits) {
        expect(route.map(({ weight }) => weight)).toEqual([70, 30]);
      }
    }
  });

  it("tells the shares that the routes have", () => {
    expect(Object.keys(traffic)).toEqual(names);
    for (const services of Object.values(traffic)) {
      expect(Object.keys(services)).toHaveLength(size.services);
      expect(services["user/user-service"]).toEqual({ v1: 70, v2: 30 });
    }
  });

  it("names every other cluster from every cluster, at the address of its gateway", () => {
    const entries = program.ofType(SERVICE_ENTRY);
    expect(entries).toHaveLength(size.services * size.clusters * (size.clusters - 1));
    for (const entry of entries) {
      const spec = entry.inputs["spec"] as { hosts: string[]; endpoints: { address: string }[] };
      const named = spec.hosts[0]?.split(".")[2];
      expect(named).not.toBe(entry.provider);
      expect(spec.endpoints.map(({ address }) => address)).toEqual([
        named === "cluster-a" ? "203.0.113.1" : "203.0.113.2",
      ]);
    }
  });

  it("gives a host the same virtual address everywhere and no address to two hosts", () => {
    const addresses = new Map<string, Set<string>>();
    for (const entry of program.ofType(SERVICE_ENTRY)) {
      const spec = entry.inputs["spec"] as { hosts: [string]; addresses: [string] };
      const [host] = spec.hosts;
      addresses.set(host, (addresses.get(host) ?? new Set()).add(spec.addresses[0]));
    }
    const all = [...addresses.values()].map((set) => [...set]);
    expect(all.every((set) => set.length === 1)).toBe(true);
    expect(new Set(all.flat()).size).toBe(all.length);
  });

  it("connects every ordered pair of clusters by a remote secret", () => {
    const pairs = program.resources
      .filter((r) => r.name.startsWith("remote-secret-") && r.name.endsWith("-kubeconfig"))
      .map((r) => `${r.provider} reads ${metadata(r).name.replace("istio-remote-secret-", "")}`);
    const wanted = names.flatMap((reader) =>
      names.filter((source) => source !== reader).map((source) => `${reader} reads ${source}`),
    );
    expect(pairs.sort()).toEqual(wanted.sort());
  });

  it("gives every Kubernetes object an explicit provider of one cluster", () => {
    const objects = program.resources.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(objects.length).toBeGreaterThan(30);
    for (const object of objects) {
      expect(names, object.name).toContain(object.provider);
    }
  });

  it("names every child after its component", () => {
    const components = program.resources.filter(({ type }) => type.startsWith("istio-canary:"));
    for (const child of program.resources.filter(({ parent }) => parent !== "")) {
      const parent = components.find(({ name }) => name === child.parent);
      expect(parent, `parent of ${child.name}`).toBeDefined();
      expect(child.name.startsWith(`${child.parent}-`), child.name).toBe(true);
    }
  });

  it("keeps the weight from a cluster in quarantine, for every host, and tells its shares", async () => {
    const recording = await recordProgram();
    const config = settings({ ...size, weight: 30, quarantine: ["cluster-b"] });
    const { traffic: shares } = releaseServices(
      config,
      installMesh(config).clusters,
      planRelease(config, []),
    );
    await recording.settle();
    for (const virtualService of recording.ofType(VIRTUAL_SERVICE)) {
      const expected = virtualService.provider === "cluster-b" ? [100, 0] : [70, 30];
      const splits = http(virtualService).filter(({ route }) => route.length > 1);
      expect(splits).toHaveLength(size.clusters);
      for (const { route } of splits) {
        expect(
          route.map(({ weight }) => weight),
          virtualService.name,
        ).toEqual(expected);
      }
      // Testers reach the canary all the same.
      expect(http(virtualService).filter(({ route }) => route.length === 1)).toHaveLength(
        size.clusters,
      );
    }
    expect(shares["cluster-a"]?.["user/user-service"]).toEqual({ v1: 70, v2: 30 });
    expect(shares["cluster-b"]?.["user/user-service"]).toEqual({ v1: 100, v2: 0 });
  });

  it("keeps the root key out of every cluster", () => {
    for (const object of program.resources.filter(({ type }) => type.startsWith("kubernetes:"))) {
      expect(JSON.stringify(object.inputs), object.name).not.toContain("key of certificates-root");
    }
  });
});
