import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { confirmWeights } from "../../../fleet/confirm.ts";
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

  it("shares the list of the proxies with whoever asks at the same time, and with nobody later", async () => {
    server.proxies = Array.from({ length: 300 }, (_, i) => `client-${i}`);
    const [one, other] = await Promise.all([cluster.proxies(), cluster.podsWithProxy()]);
    expect([one.length, other.length, lists()]).toEqual([300, 300, 2]);
    server.proxies = ["client"];
    expect(await cluster.proxies()).toHaveLength(1);
  });
});
