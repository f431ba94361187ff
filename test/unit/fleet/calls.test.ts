import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
import type { EnvoyRoutes } from "../../../fleet/routing/cluster-routing.ts";
import { sampled } from "../../../fleet/sample.ts";
import { servingIn } from "../../../fleet/serving.ts";
import { everyone } from "../../../lib/who-counts.ts";
import { canaryAt, FakeApiServer, kubeconfigText } from "../../helpers/fake-api-server.ts";

const services = ["user-service", "cart", "search"];
const expected = services.map((service) => ({
  hosts: [`${service}.user.svc.cluster.local`],
  canary: "v2",
  weight: 10,
}));

let dir: string;
let server: FakeApiServer;
let cluster: ClusterClient;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "calls-"));
  server = await FakeApiServer.start(...services.map((service) => canaryAt(10, { service })));
  const kubeconfig = path.join(dir, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText({ "cluster-a": server.url }));
  cluster = new ClusterClient({ name: "cluster-a", context: "cluster-a", kubeconfig });
});
afterEach(async () => {
  server.stop();
  await rm(dir, { recursive: true });
});

const nameOf = ({ metadata }: V1Pod) => metadata?.name ?? "";
const lists = () => server.requests.filter((request) => request.endsWith("/pods")).length;

describe("a confirmation", () => {
  it.each([
    { pods: 60, pages: 1 },
    { pods: 600, pages: 3 },
  ])("asks each of $pods proxies once for all services, 32 at a time", async ({ pods, pages }) => {
    server.proxies = Array.from({ length: pods }, (_, i) => `client-${i}`);
    const { routes } = await confirmWeights(cluster, expected, {
      timeoutMs: 20_000,
      askEnvoys: 1_000,
    });
    expect(routes.map((each) => each.length)).toEqual(services.map(() => pods));
    expect(server.forwards).toMatchObject({ all: pods });
    // A connection is closed a moment after its answer.
    expect(server.forwards.most).toBeLessThanOrEqual(48);
    expect(lists()).toBe(pages);
  });

  it.each([
    { pods: 600, pages: 3 },
    { pods: 6_000, pages: 24 },
  ])("asks a sample of $pods proxies, and two istiods for all others", async ({ pods, pages }) => {
    server.proxies = Array.from({ length: pods }, (_, i) => `client-${i}`);
    server.istiods = ["istiod-1", "istiod-2"];
    const { routes, acknowledged } = await confirmWeights(cluster, expected, {
      timeoutMs: 20_000,
      askEnvoys: 20,
    });
    expect(routes.map((each) => each.length)).toEqual(services.map(() => 20));
    expect(acknowledged).toBe(pods - 20);
    // Each istiod is asked before and after the Envoys.
    expect(server.forwards).toMatchObject({ all: 20 + 2 * 2 });
    expect(lists()).toBe(pages + 2);
  });

  it("names who has not acknowledged the weight, beside the sample that serves it", async () => {
    server.proxies = Array.from({ length: 12 }, (_, i) => `client-${i}`);
    server.istiods = ["istiod-1", "istiod-2"];
    const asked = sampled(await cluster.proxies(), 4).map(nameOf);
    const laggard = server.proxies.find((name) => !asked.includes(name)) ?? "";
    server.laggards.add(laggard);
    await expect(
      confirmWeights(cluster, expected, { timeoutMs: 3_000, askEnvoys: 4 }),
    ).rejects.toThrow(`: user/${laggard} has not acknowledged what istiod has sent`);
  });

  it("asks all others themselves where no istiod tells anything", async () => {
    server.proxies = Array.from({ length: 12 }, (_, i) => `client-${i}`);
    const { routes, acknowledged } = await confirmWeights(cluster, expected, {
      timeoutMs: 20_000,
      askEnvoys: 4,
    });
    expect([routes[0]?.length, acknowledged]).toEqual([12, 0]);
  });

  it("keeps of a pod what tells of its proxy, and lets go of the rest", async () => {
    server.proxies = ["client-0"];
    server.pod = { spec: { volumes: [{ name: "token" }] } };
    const [pod] = await cluster.proxies();
    expect(pod).toMatchObject({
      metadata: { name: "client-0", namespace: "user", uid: "uid of client-0" },
      spec: { containers: [{ name: "istio-proxy" }, { name: "app" }] },
      status: { containerStatuses: [{ name: "istio-proxy", ready: true, restartCount: 0 }] },
    });
    expect(pod?.metadata?.ownerReferences).toEqual([
      expect.objectContaining({ controller: true, uid: "client" }),
    ]);
    expect(pod?.spec?.volumes).toBeUndefined();
  });

  it("shares the list of the proxies with whoever asks at the same time, and with nobody later", async () => {
    server.proxies = Array.from({ length: 300 }, (_, i) => `client-${i}`);
    const [one, other] = await Promise.all([cluster.proxies(), cluster.podsWithProxy()]);
    expect([one.length, other.length, lists()]).toEqual([300, 300, 2]);
    server.proxies = ["client"];
    expect(await cluster.proxies()).toHaveLength(1);
  });
});

describe("a list of the proxies that is read once more", () => {
  const restartedIn = (pods: readonly V1Pod[]) =>
    pods.flatMap((pod) =>
      (pod.status?.containerStatuses ?? []).some(({ restartCount }) => restartCount > 0)
        ? [nameOf(pod)]
        : [],
    );

  it("is asked for metadata alone, as long as nothing has changed", async () => {
    server.proxies = Array.from({ length: 600 }, (_, i) => `client-${i}`);
    const first = await cluster.proxies();
    expect([lists(), server.briefs]).toEqual([3, 0]);
    expect(await cluster.proxies()).toEqual(first);
    expect([lists(), server.briefs]).toEqual([6, 3]);
    expect(await cluster.proxies()).toEqual(first);
    expect([lists(), server.briefs]).toEqual([9, 6]);
  });

  it("has what has changed: such a page is asked for as a whole", async () => {
    server.proxies = Array.from({ length: 600 }, (_, i) => `client-${i}`);
    await cluster.proxies();
    const restarted = { name: "istio-proxy", ready: true, restartCount: 1 };
    server.pod = { status: { containerStatuses: [restarted] } };
    server.podVersions.set("client-300", 2);
    // What the other pages had is the same as ever: the API server would have given those pods new versions.
    expect(restartedIn(await cluster.proxies())).toEqual(server.proxies.slice(250, 500));
    expect([lists(), server.briefs]).toEqual([3 + 4, 3]);
  });

  it("knows a pod that came, or went", async () => {
    server.proxies = ["one", "other"];
    await cluster.proxies();
    server.proxies = ["one"];
    expect((await cluster.proxies()).map(nameOf)).toEqual(["one"]);
    server.proxies = ["one", "third"];
    expect((await cluster.proxies()).map(nameOf)).toEqual(["one", "third"]);
    server.proxies = [];
    expect(await cluster.proxies()).toEqual([]);
  });

  it("may have an empty last page, which the API server gives as null", async () => {
    server.proxies = Array.from({ length: 500 }, (_, i) => `client-${i}`);
    server.hasOtherPods = true;
    const first = await cluster.proxies();
    expect(await cluster.proxies()).toEqual(first);
    expect([lists(), server.briefs]).toEqual([6, 3]);
  });
});

describe("release status", () => {
  const at = (weight: number) => (routes: EnvoyRoutes) =>
    Object.values(routes.tables).every((weights) => weights["v2"] === weight);
  const hosts = expected.map((each) => each.hosts);

  it("asks a sample, and two istiods for all others", async () => {
    server.proxies = Array.from({ length: 600 }, (_, i) => `client-${i}`);
    server.istiods = ["istiod-1", "istiod-2"];
    const options = { askEnvoys: 20, who: everyone };
    expect(await servingIn(cluster, hosts, at(10), options)).toEqual({
      ...{ envoys: 60, serving: 60, acknowledged: 580 },
    });
    expect(server.forwards).toMatchObject({ all: 20 + 2 * 2 });
  });

  it("counts who has not acknowledged it, or is not known to have, as one that does not serve it", async () => {
    server.proxies = Array.from({ length: 12 }, (_, i) => `client-${i}`);
    server.istiods = ["istiod-1", "istiod-2"];
    const options = { askEnvoys: 4, who: everyone };
    const asked = sampled(await cluster.proxies(), 4).map(nameOf);
    server.laggards.add(server.proxies.find((name) => !asked.includes(name)) ?? "");
    expect(await servingIn(cluster, hosts, at(10), options)).toEqual({
      ...{ envoys: 13, serving: 12, acknowledged: 7 },
    });
    expect(await servingIn(cluster, hosts, at(30), options)).toEqual({
      ...{ envoys: 20, serving: 0, acknowledged: 0 },
    });
  });
});
