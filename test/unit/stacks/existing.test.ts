import { beforeAll, describe, expect, it } from "vitest";
import { installMesh } from "../../../stacks/mesh.ts";
import { releaseName } from "../../../stacks/judged.ts";
import { planRelease } from "../../../stacks/release-plan.ts";
import { releaseServices } from "../../../stacks/release.ts";
import { routingDigest } from "../../../stacks/routing-digest.ts";
import { existingSettings } from "../../helpers/existing.ts";
import { recordProgram, type Recording } from "../../helpers/mocks.ts";

const ISTIO = "kubernetes:networking.istio.io/v1";
const HOST = "user-service.user.svc.cluster.local";

async function program(more: Readonly<Record<string, unknown>> = {}): Promise<Recording> {
  const recording = await recordProgram();
  const config = existingSettings({
    servicePort: 8080,
    versionLabel: "app.kubernetes.io/version",
    serviceAccounts: ["shop", "shop-canary"],
    ...more,
  });
  releaseServices(config, installMesh(config).clusters, planRelease(config, []));
  await recording.settle();
  return recording;
}
const specOf = (recording: Recording, name: string, kind: string) =>
  recording.named(name, kind).inputs["spec"] as Record<string, unknown>;
const http = (recording: Recording) =>
  specOf(recording, "user-service.user-route-cluster-a-weights", ":VirtualService")["http"] as {
    route: unknown;
  }[];

describe("the program with a service that others have made", () => {
  let recording: Recording;
  beforeAll(async () => {
    recording = await program();
  });

  it("makes its routes and nothing else in its namespace", () => {
    const there = recording.resources.filter(({ inputs }) => {
      const { name, namespace } = (inputs["metadata"] ?? {}) as Record<string, unknown>;
      return namespace === "user" || name === "user";
    });
    expect(there.map(({ type }) => type).sort()).toEqual([
      ...Array<string>(4).fill(`${ISTIO}:DestinationRule`),
      ...Array<string>(2).fill(`${ISTIO}:ServiceEntry`),
      ...Array<string>(2).fill(`${ISTIO}:VirtualService`),
    ]);
    expect(recording.ofType("istio-canary:mesh:CanaryWorkload")).toEqual([]);
  });

  it("tells its versions apart by the owner's label, and leaves TLS to Istio", () => {
    expect(specOf(recording, "user-service.user-route-cluster-a-rule", ":DestinationRule")).toEqual(
      {
        host: HOST,
        subsets: [
          { name: "v1", labels: { "app.kubernetes.io/version": "v1" } },
          { name: "v2", labels: { "app.kubernetes.io/version": "v2" } },
        ],
      },
    );
  });

  it("reaches it in one other cluster by its own port and its pods' identities", () => {
    const name = "user-service.user-cluster-b-from-cluster-a";
    const identity = (account: string) => `spiffe://cluster.local/ns/user/sa/${account}`;
    expect(specOf(recording, `${name}-entry`, ":ServiceEntry")["ports"]).toEqual([
      { number: 8080, name: "http", protocol: "HTTP" },
    ]);
    expect(specOf(recording, `${name}-rule`, ":DestinationRule")["trafficPolicy"]).toEqual({
      tls: {
        mode: "ISTIO_MUTUAL",
        sni: `outbound_.8080_._.${HOST}`,
        subjectAltNames: [identity("shop"), identity("shop-canary")],
      },
    });
  });

  it("has the mesh in place first", () => {
    const [rule] = recording.ofType(`${ISTIO}:DestinationRule`);
    const istiod = recording.resources.filter(({ name }) => name.includes("istiod"));
    expect(istiod.length).toBeGreaterThan(0);
    for (const each of istiod) {
      if (each.name.endsWith("cluster-a") && rule) {
        expect(recording.waitsFor(rule, each), each.name).toBe(true);
      }
    }
  });

  it("names the versions while there is a canary, and none while there is not", async () => {
    for (const { route } of http(recording)) {
      expect(JSON.stringify(route)).toContain('"subset":"v1"');
    }
    const without = await program({ canary: undefined });
    expect(http(without).map(({ route }) => route)).toEqual([
      [{ destination: { host: "user-service.user.cluster-b.mesh" }, weight: 100 }],
      [{ destination: { host: HOST }, weight: 100 }],
    ]);
  });

  it("is another routing by every key that says how the pods are found", () => {
    const digest = (more: Readonly<Record<string, unknown>>) => {
      const config = existingSettings(more);
      const [service] = config.services;
      if (!service) throw new Error("the fixture has a service");
      return routingDigest(config, service, "cluster-a");
    };
    const digests = [
      {},
      { servicePort: 8080 },
      { versionLabel: "release" },
      { serviceAccounts: ["default"] },
    ].map(digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("names the release by the version: the image is the owner's", () => {
    expect(releaseName(existingSettings())).toBe("user/user-service v2");
  });
});
