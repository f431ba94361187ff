import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { execa, ExecaError } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { confirmWeight } from "../../fleet/confirm.ts";
import { Prometheus } from "../../fleet/prometheus.ts";
import { readRoute } from "../../fleet/read-deployed.ts";
import { differences, recordRouting } from "../../lab/demo/routing-record.ts";
import { labEnvironment, labStack } from "../../lab/environment.ts";
import { userService } from "../../lab/mesh/user-service.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../lab/stack-file.ts";
import { until } from "../../lib/until.ts";
import { creationTimes, rolloutTimes } from "./creation-times.ts";
import { labClusters, labPulumi } from "./lab.ts";

const settings = labSettings();
const clusters = labClusters();
const meshStack = `organization/istio-canary/${labStack}`;
const releaseStack = "lab-release";
const mesh = labPulumi();
const release = labPulumi(releaseStack);

type Config = Readonly<Record<string, unknown>>;

/** Sets keys of a stack's config, all else stays. */
async function configure(stack: string, keys: Config): Promise<void> {
  await setStackKeys(stackFile(settings, stack), keys);
}

async function labServices(): Promise<readonly Config[]> {
  return (await stackKey(stackFile(settings, labStack), "services")) as Config[];
}

beforeAll(async () => {
  // What a run that was interrupted has left may belong to a lab that is no more.
  await rm(stackFile(settings, releaseStack), { force: true });
  await release.create();
  await configure(releaseStack, { meshStack });
});

describe("services in the mesh of another stack", () => {
  const order = { service: "order-service", namespace: "order" };
  const host = "order-service.order.svc.cluster.local";
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
    const [user = {}] = await labServices();
    const small = { replicas: 1, image: "docker.io/lab/user-service:v1" };
    const service = {
      ...user,
      name: order.service,
      namespace: order.namespace,
      stable: { ...small, version: "v1" },
      canary: { ...small, version: "v2" },
      ingressHosts: [],
    };
    await configure(releaseStack, { services: [service], weight: 0 });
  });

  afterAll(async () => {
    await release.destroy();
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
      `services[0].namespace: must be a namespace of this stack alone, and ${meshStack} has services in it`,
    );
  });

  it("are not let into a namespace that anybody else has made", async () => {
    const [cluster] = clusters;
    const name = "taken";
    await cluster?.core.createNamespace({ body: { metadata: { name } } });
    try {
      expect(await refusal(name)).toMatch(/taken\W+already exists/);
    } finally {
      await cluster?.core.deleteNamespace({ name });
    }
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
      expect(stdout).toContain(`| \`order/order-service\` | ${name} | v2 | 0 % | **10 %** |`);
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

describe("a stack that is split in two", () => {
  let config: string;
  /** What the page that describes the way says belongs to the services. */
  let ofServices: RegExp;
  let before: Awaited<ReturnType<typeof record>>;

  /** Everything that a touched cluster would have otherwise: routing, and each Deployment's count of changes. */
  async function record() {
    const deployments = await Promise.all(
      clusters.map(async (cluster) => {
        const { items } = await cluster.apps.listNamespacedDeployment({
          namespace: userService.namespace,
        });
        return items.map(({ metadata }) => [
          `${metadata?.name ?? ""} in ${cluster.name}`,
          metadata?.uid,
          metadata?.generation,
        ]);
      }),
    );
    return { routing: await recordRouting(clusters), deployments: deployments.flat() };
  }

  async function expectUntouched(): Promise<void> {
    const now = await record();
    expect(differences(before.routing, now.routing)).toEqual([]);
    expect(now.deployments).toEqual(before.deployments);
  }

  async function moveServices(from: typeof mesh, to: string): Promise<number> {
    const urns = (await from.urns()).filter((urn) => ofServices.test(urn));
    if (urns.length > 0) await from.move(urns, to);
    return urns.length;
  }

  beforeAll(async () => {
    const page = await readFile(path.join(settings.root, "docs/stacks.md"), "utf8");
    ofServices = new RegExp(/grep -E '(.+)'/.exec(page)?.[1] ?? "^$");
    config = await readFile(stackFile(settings, labStack), "utf8");
    before = await record();
  });

  afterAll(async () => {
    await moveServices(release, labStack);
    await writeFile(stackFile(settings, labStack), config);
    await mesh.up("two stacks: one again");
    expect((await mesh.preview()).value).toEqual([]);
    await expectUntouched();
  });

  it("goes on in both, and no cluster has noticed", async () => {
    const services = await labServices();
    await configure(labStack, { services: [], weight: 0 });
    const ingressHosts = [userService.ingressHost];
    await configure(releaseStack, {
      services: services.map((service) => ({ ...service, ingressHosts })),
      weight: 0,
    });
    expect(await moveServices(mesh, releaseStack)).toBeGreaterThan(0);
    await mesh.up("two stacks: the mesh");
    expect((await release.preview()).value).toEqual([]);
    await release.up("two stacks: the services");
    expect((await mesh.preview()).value).toEqual([]);
    await expectUntouched();
  });
});

afterAll(async () => {
  // The providers that went with the services have stayed.
  await release.destroy();
  await release.remove();
});
