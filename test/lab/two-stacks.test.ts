import { execa, ExecaError } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { Prometheus } from "../../fleet/prometheus.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { labEnvironment, labStack } from "../../lab/environment.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { makeReleaseStack } from "../../lab/release-stack.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { serviceHost, type ServiceName } from "../../lib/names.ts";
import { until } from "../../lib/until.ts";
import { creationTimes, rolloutTimes } from "./creation-times.ts";
import { labClusters, labPulumi } from "./lab.ts";

const settings = labSettings();
const clusters = labClusters();
const meshStack = `organization/istio-canary/${labStack}`;
const releaseStack = "lab-order-service";
const order: ServiceName = { service: "order-service", namespace: "order-service" };
const mesh = labPulumi();
const release = labPulumi(releaseStack);

describe("services in the mesh of another stack", () => {
  const host = serviceHost(order, "cluster.local");
  let updates: number;

  /** What each API server has for the service, and every Envoy that routes to it serves. */
  async function expectEverywhere(weight: number): Promise<void> {
    for (const cluster of clusters) {
      expect((await readRoute(cluster, order))?.weight, cluster.name).toBe(weight);
      const routes = await confirmWeight(cluster, { hosts: [host], canary: "v2", weight }, 30_000);
      expect(routes.length, cluster.name).toBeGreaterThan(0);
    }
  }

  beforeAll(async () => {
    updates = await mesh.updates();
    await makeReleaseStack(settings, releaseStack, {
      services: [serviceConfig({ name: order.service, namespace: order.namespace }, 1)],
      phases: [10, 30, 100],
      weight: 0,
    });
  });

  afterAll(async () => {
    await release.destroy();
    await release.remove();
  });

  /** What the preview says against a namespace. */
  async function refusal(namespace: string): Promise<string> {
    await release.setConfig("services[0].namespace", namespace);
    const refused = await release.preview().catch((error: unknown) => error);
    await release.setConfig("services[0].namespace", order.namespace);
    if (!(refused instanceof ExecaError)) throw new Error("the preview has let it through");
    return `${String(refused.stdout)}\n${String(refused.stderr)}`;
  }

  it("are not let into a namespace that the mesh's stack has services in", async () => {
    expect(await refusal(userService.namespace)).toContain(
      `services[0].namespace: must be a namespace of this stack alone, but ${meshStack} has services in it`,
    );
  });

  it("are installed in every cluster", async () => {
    await release.up("two stacks: installation");
    await expectEverywhere(0);
  });

  it("are known to the mesh's monitoring in every cluster, with their versions", async () => {
    for (const cluster of clusters) {
      await until(
        `the versions of ${order.service} in ${cluster.name}`,
        async () => {
          const found = await new Prometheus(cluster).query(
            `istio_canary:version:info{destination_service_namespace="${order.namespace}"}`,
          );
          const versions = found.map(({ labels: { cluster: at, role, ...labels } }) =>
            [at, labels["destination_service_name"], labels["destination_version"], role].join(" "),
          );
          expect(versions.sort()).toEqual([
            `${cluster.name} ${order.service} v1 stable`,
            `${cluster.name} ${order.service} v2 canary`,
          ]);
        },
        { timeoutMs: 45_000, everyMs: 1_000 },
      );
    }
  });

  it("had both versions available in all clusters before any DestinationRule", async () => {
    const rollouts = await rolloutTimes(order.namespace);
    const rules = await creationTimes(order.namespace, "destinationrules");
    expect(rollouts).toHaveLength(2 * clusters.length);
    expect(Math.max(...rollouts)).toBeLessThanOrEqual(Math.min(...rules));
  });

  it("had the DestinationRules in all clusters before any VirtualService", async () => {
    const rules = await creationTimes(order.namespace, "destinationrules");
    const routes = await creationTimes(order.namespace, "virtualservices");
    expect(Math.max(...rules)).toBeLessThanOrEqual(Math.min(...routes));
  });

  it("show in the preview of a weight what changes for whom", async () => {
    await release.setWeight(10);
    const { stdout } = await execa("node", ["preview/cli.ts", "--stack", releaseStack], {
      cwd: settings.root,
      env: labEnvironment(settings),
    });
    for (const { name } of clusters) {
      expect(stdout).toContain(
        `| \`${order.namespace}/${order.service}\` | ${name} | v2 | 0 % | **10 %** |`,
      );
      expect(stdout).toContain(`| ${name} | 0 | 0 | 1 | 0 |`);
    }
  });

  it("get a higher weight in every cluster", async () => {
    await release.up("two stacks: 10 %");
    await expectEverywhere(10);
  });

  it("get a lower weight in every cluster, and nothing is left to do", async () => {
    await release.setWeight(0);
    await release.up("two stacks: 0 %");
    await expectEverywhere(0);
    expect((await release.preview()).value).toEqual([]);
  });

  it("are removed, and leave nothing of themselves", async () => {
    await release.destroy();
    for (const cluster of clusters) {
      expect(await readRoute(cluster, order)).toBeUndefined();
      await expect(cluster.core.readNamespace({ name: order.namespace })).rejects.toThrow(/404/);
    }
  });

  it("have touched nothing of the mesh's stack", async () => {
    expect((await mesh.preview()).value).toEqual([]);
    expect(await mesh.updates()).toBe(updates);
  });
});
