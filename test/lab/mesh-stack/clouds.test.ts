// @module-tag campaign
import { mkdtemp, copyFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  ApiException,
  PatchStrategy,
  setHeaderOptions,
  type KubernetesObject,
  type V1EndpointSlice,
  type V1Pod,
  type V1Service,
} from "@kubernetes/client-node";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { endpointsOf } from "../../../fleet/endpoints.ts";
import { isNotFound } from "../../../fleet/explain.ts";
import { unreadNow } from "../../../fleet/remote-reads.ts";
import { labEnvironment, labStack } from "../../../lab/environment.ts";
import { calls } from "../../../lab/mesh/call.ts";
import { deleteClientPod, ensureClientPod } from "../../../lab/mesh/client-pod.ts";
import { hostInCluster } from "../../../lab/mesh/service.ts";
import { PulumiCli } from "../../../lab/pulumi.ts";
import { labSettings } from "../../../lab/settings.ts";
import { setStackKeys, stackFile, stackKey } from "../../../lab/stack-file.ts";
import { SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { routing } from "../../../lib/routing/index.ts";
import { until } from "../../../lib/until.ts";
import { startChartRegistry, type ChartRegistry } from "../chart-registry.ts";
import { ingressAddress } from "../lab.ts";
import { underLoad } from "../load.ts";
import { clusters, failure, first, meshRelease, second } from "../release.ts";

const { service } = meshRelease;
const settings = labSettings();
const CLIENT = "clouds-client";
/** Port at which the second cluster's gateway is reached. */
const PORT = 443;
/** A name of that gateway which the first cluster's DNS resolves, as it does those of a cloud's load balancers. */
const NAMES = "lab-names";
const NAME = `gateway-b.${NAMES}.svc.cluster.local`;

const load = underLoad(meshRelease, { inMesh: [first, second], outside: [] });

let registry: ChartRegistry;
/** A copy of the stack's config, so that the lab's own stays as it is. */
let file: string;
let pulumi: PulumiCli;
let client: V1Pod;
/** The address behind the name: of a load balancer that only DNS leads to. */
let address: string;

/** Has the stack's config hold a secret, as a user sets it: its value is no argument. */
async function setSecret(name: string, value: string): Promise<void> {
  const set = ["config", "set", "--secret", "--path", `secrets.${name}`];
  await execa("pulumi", [...set, "--stack", labStack, "--config-file", file], {
    ...{ cwd: settings.root, env: labEnvironment(settings), input: value },
  });
}

/** What curl says of a request to a cluster's ingress gateway: the status, or how it failed. */
async function outside(cluster: ClusterClient, port: number): Promise<string> {
  const to = `${service.ingressHost}:${port}`;
  const resolved = `${to}:${await ingressAddress(cluster.name)}`;
  const { stdout } = await execa(
    "curl",
    [
      ...["--silent", "--output", "/dev/null", "--max-time", "15", "--resolve", resolved],
      ...["--write-out", "%{http_code} %{errormsg}", `http://${to}/`],
    ],
    { env: labEnvironment(settings), reject: false },
  );
  return stdout.trim();
}

async function apply(cluster: ClusterClient, ...objects: KubernetesObject[]): Promise<void> {
  for (const object of objects) {
    const how = [undefined, undefined, "lab", true, "application/apply-patch+yaml"] as const;
    await cluster.objects.patch(object, ...how);
  }
}

/** A load balancer of the second cluster's gateway. */
function balancer(name: string, spec: object = {}, labels: Record<string, string> = {}): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: SYSTEM_NAMESPACE, labels },
    spec: {
      type: "LoadBalancer",
      selector: { istio: "eastwestgateway" },
      ports: [{ name: "tls", port: PORT, targetPort: 15443, protocol: "TCP" }],
      ...spec,
    },
  };
}

const byAddress = balancer("clouds-address");
/** One that has a host name and no address, as on AWS; of a class that the lab's controller leaves to others. */
const byName = balancer(
  "clouds-name",
  { loadBalancerClass: "lab.test/names" },
  {
    "topology.istio.io/network": settings.clusters[1]?.network ?? "",
    "networking.istio.io/gatewayPort": String(PORT),
  },
);

async function addressOf({ metadata }: V1Service): Promise<string> {
  const at = { namespace: SYSTEM_NAMESPACE, name: metadata?.name ?? "" };
  return until(
    `an address for ${at.name}`,
    async () => {
      const { status } = await second.core.readNamespacedService(at);
      const ip = status?.loadBalancer?.ingress?.[0]?.ip;
      if (ip === undefined) throw new Error("it has none");
      return ip;
    },
    { timeoutMs: 30_000 },
  );
}

/** Has the first cluster's DNS answer for the name. */
async function nameAddress(): Promise<void> {
  const metadata = { name: "gateway-b", namespace: NAMES };
  const slice: V1EndpointSlice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: "tls", port: PORT, protocol: "TCP" }],
  };
  await apply(
    first,
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMES } },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata },
      ...{ spec: { clusterIP: "None", ports: [{ name: "tls", port: PORT }] } },
    },
    slice,
  );
}

/** Where the client sends requests for a host to, as `address:port`. */
async function places(host: string): Promise<readonly string[]> {
  const envoyCluster = routing.envoyCluster(host, service.stable);
  const found = await endpointsOf(first, client, [envoyCluster]);
  return [...found.values()].flat().map((each) => `${each.address ?? ""}:${each.port ?? ""}`);
}

/** The pods of the mesh with a label: others have other ids. */
async function pods(cluster: ClusterClient, labels: string) {
  const found = await cluster.runningPods(labels, SYSTEM_NAMESPACE);
  return found.map(({ metadata }) => metadata?.uid ?? "").sort();
}

/** What the first cluster's istiod reads the second one with. */
async function reader(): Promise<ClusterClient> {
  const name = `istio-remote-secret-${second.name}`;
  const { data } = await first.core.readNamespacedSecret({ name, namespace: SYSTEM_NAMESPACE });
  const kubeconfig = Buffer.from(data?.[second.name] ?? "", "base64").toString();
  return new ClusterClient({ name: second.name, context: second.name, kubeconfig });
}

beforeAll(async () => {
  const env = labEnvironment(settings);
  const mesh = z
    .looseObject({ charts: z.object({ directory: z.string() }) })
    .parse(await stackKey(stackFile(settings, labStack), "mesh"));
  registry = await startChartRegistry(env, mesh.charts.directory);
  const folder = await mkdtemp(path.join(tmpdir(), "clouds-"));
  file = path.join(folder, "Pulumi.yaml");
  await copyFile(stackFile(settings, labStack), file);
  // Helm asks no registry for what it keeps by its digest.
  const helm = { SSL_CERT_FILE: registry.authority, HELM_CACHE_HOME: folder };
  pulumi = new PulumiCli(settings.root, { ...env, ...helm }, labStack);
  client = await ensureClientPod(first, CLIENT);
  await apply(second, byAddress, byName);
  address = await addressOf(byAddress);
  await nameAddress();
  await second.core.patchNamespacedServiceStatus(
    {
      ...{ name: "clouds-name", namespace: SYSTEM_NAMESPACE },
      body: { status: { loadBalancer: { ingress: [{ hostname: NAME }] } } },
    },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
});

afterAll(async () => {
  await meshRelease.pulumi.up("lab tests end");
  await deleteClientPod(first, CLIENT);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMES } };
  for (const [cluster, object] of [
    [first, namespace],
    [second, byAddress],
    [second, byName],
  ] as const) {
    await cluster.objects.delete(object).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  await registry.stop();
  await rm(path.dirname(file), { recursive: true });
});

describe("a mesh as on a cloud", () => {
  it("takes its charts from a private registry, by their digests, and restarts nothing for it", async () => {
    const { repository, digests, username, password } = registry;
    const mesh = z.looseObject({}).parse(await stackKey(file, "mesh"));
    await setStackKeys(file, { mesh: { ...mesh, charts: { repository, digests } } });
    expect(await failure(pulumi.preview("--config-file", file))).toContain(
      "basic credential not found",
    );

    const login = { username, passwordSecret: "charts" };
    await setStackKeys(file, { mesh: { ...mesh, charts: { repository, digests, ...login } } });
    await setSecret("charts", password);
    const before = await Promise.all(clusters.map((cluster) => pods(cluster, "istio")));
    const { value: said } = await pulumi.up("clouds: private charts", "--config-file", file);
    const charts = ["base", "istiod", "gateway"].map((name) => `${name}@${digests[name] ?? ""}`);
    expect([...registry.read]).toEqual(expect.arrayContaining(charts));
    expect(await Promise.all(clusters.map((cluster) => pods(cluster, "istio")))).toEqual(before);
    expect(said).not.toContain(password);
    const { stdout: state } = await execa("pulumi", ["stack", "export", "--stack", labStack], {
      ...{ cwd: settings.root, env: labEnvironment(settings) },
    });
    expect(state).not.toContain(password);
    load.expectNoFailure();
  });

  it("gives every istiod another token, without a failed request, and ends the old ones", async () => {
    const old = await reader();
    await old.core.listNode();
    const mesh = z.looseObject({}).parse(await stackKey(file, "mesh"));
    await setStackKeys(file, { mesh: { ...mesh, readerTokens: "next" } });
    await pulumi.up("clouds: other tokens", "--config-file", file);
    expect(await unreadNow(clusters)).toEqual([]);
    await (await reader()).core.listNode();
    await until(
      "the old token to be refused",
      async () => {
        const refusal: unknown = await old.core.listNode().catch((error: unknown) => error);
        if (!(refusal instanceof ApiException) || refusal.code !== 401) {
          throw new Error("it is still taken");
        }
      },
      { timeoutMs: 60_000 },
    );
    load.expectNoFailure();
  });

  it("has its ingress gateways at other ports, and at these alone", async () => {
    const ingress = z.looseObject({}).parse(await stackKey(file, "ingress"));
    await setStackKeys(file, { ingress: { ...ingress, ports: { http: 8080, https: 8443 } } });
    for (const cluster of clusters) expect(await outside(cluster, 80)).toBe("200");
    await pulumi.up("clouds: other ports", "--config-file", file);
    for (const cluster of clusters) {
      await until(
        `the gateway of ${cluster.name} to answer at the new port`,
        async () => {
          const said = await outside(cluster, 8080);
          if (said !== "200") throw new Error(said);
        },
        { timeoutMs: 60_000 },
      );
      expect(await outside(cluster, 80)).toMatch(/^000 /);
    }
    load.expectNoFailure();
  });

  it("reaches a gateway at another port and by a name, from hosts of a cluster and of all", async () => {
    const written = z.array(z.looseObject({})).parse(await stackKey(file, "clusters"));
    await setStackKeys(file, {
      clusters: written.map((each, i) =>
        i === 1 ? { ...each, eastWestPort: PORT, eastWestAddresses: [NAME] } : each,
      ),
    });
    await pulumi.up("clouds: another port, and a name", "--config-file", file);

    const there = `http://${hostInCluster(service, second.name)}/`;
    const answers = await until(
      "the other cluster to answer",
      async () => {
        const all = await calls(first, client, there, 10);
        if (all.some(({ status }) => status !== 200)) throw new Error(JSON.stringify(all));
        return all;
      },
      { timeoutMs: 60_000 },
    );
    expect(new Set(answers.map(({ cluster }) => cluster))).toEqual(new Set([second.name]));
    expect(await places(hostInCluster(service, second.name))).toEqual([`${address}:${PORT}`]);

    // Istiod resolves the name of the Service that has no address, and knows the port of each Service by its label.
    await until(
      "istiod to know the gateway by its name",
      async () => {
        const all = await places(service.host);
        const own = await addressOf(balancer("istio-eastwestgateway"));
        expect(all).toEqual(expect.arrayContaining([`${address}:${PORT}`, `${own}:${PORT}`]));
        expect(all.filter((place) => place.endsWith(":15443"))).toEqual([]);
      },
      { timeoutMs: 60_000 },
    );
    const both = await calls(first, client, `http://${service.host}/`, 40);
    expect(both.filter(({ status }) => status !== 200)).toEqual([]);
    expect(new Set(both.map(({ cluster }) => cluster))).toEqual(
      new Set(clusters.map(({ name }) => name)),
    );
  });
});
