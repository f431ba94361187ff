import { stat } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { nthAddress } from "../../lab/clusters/addresses.ts";
import type { Cluster } from "../../lab/clusters/cluster.ts";
import { labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";
import { runningCluster } from "./component.ts";
import { withPlainClient } from "./plain-client.ts";

const settings = labSettings();
const names = settings.clusters.map(({ name }) => name);
const namespace = "lab-clusters-test";
/** Nobody's address, by RFC 5737: a connection to it can only fail. */
const outside = "198.51.100.1";
const apiServerService = nthAddress(settings.serviceCidr, 1);
let clusters: Cluster[];

const { kubectl, inPod, asksApiServer } = withPlainClient(namespace, [
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "echo", namespace, labels: { app: "echo" } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "echo",
          image: "docker.io/lab/user-service:v1",
          args: ["--port=8080", "--version=v1"],
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "echo", namespace },
    spec: {
      type: "LoadBalancer",
      selector: { app: "echo" },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  },
]);

function clusterOf(name: string): Cluster {
  const cluster = clusters.find(({ settings }) => settings.name === name);
  if (!cluster) throw new Error(`there is no cluster ${name}`);
  return cluster;
}

beforeAll(async () => {
  clusters = await Promise.all(names.map((name) => runningCluster(name)));
});

describe("the lab's clusters", () => {
  it.each(names)("%s answers DNS queries of its pods", async (name) => {
    expect(await asksApiServer(name)).toBe(`ok from ${apiServerService}`);
  });

  it.each(names)("%s gives a Service an address that the host can reach", async (name) => {
    const address = await until(
      "the Service to have an address",
      async () => {
        const { stdout } = await kubectl(name, [
          "get",
          "service",
          "echo",
          "--output=jsonpath={.status.loadBalancer.ingress[0].ip}",
        ]);
        if (stdout === "") throw new Error("it has none yet");
        return stdout;
      },
      { timeoutMs: 30_000 },
    );
    expect(clusterOf(name).addresses.loadBalancers).toContain(address);
    const body = await until(
      "the address to answer",
      async () => (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2000) })).text(),
      { timeoutMs: 30_000 },
    );
    expect(body).toContain("ServiceVersion=v1");
  });

  it("takes the address of a Service back when that goes", async () => {
    const [name = ""] = names;
    const node = clusterOf(name).controlPlane;
    const addresses = async () =>
      (await node.run("ip", "-4", "addr", "show", "dev", "eth0")).trim();
    const get = [
      "get",
      "service",
      "echo",
      "--output=jsonpath={.status.loadBalancer.ingress[0].ip}",
    ];
    const { stdout: address } = await kubectl(name, get);
    expect(await addresses()).toContain(`${address}/32`);
    await kubectl(name, ["delete", "service", "echo"]);
    await until(
      "the address to leave the node",
      async () => {
        if ((await addresses()).includes(`${address}/32`)) throw new Error("it is still there");
      },
      { timeoutMs: 30_000 },
    );
  });

  it("has a kubeconfig for its owner alone, with a context for each", async () => {
    const { kubeconfig } = labPaths(settings);
    expect((await stat(kubeconfig)).mode & 0o777).toBe(0o600);
    const { stdout } = await kubectl(names[0] ?? "", ["config", "get-contexts", "--output=name"]);
    expect(stdout.split("\n")).toEqual(names);
  });
});

describe("the lab is sealed", () => {
  it.each(names)("no route leads out of a node of %s", async (name) => {
    for (const node of clusterOf(name).nodes) {
      expect(await node.run("ip", "route", "show", "default")).toBe("");
      await expect(node.run("ip", "route", "get", outside)).rejects.toThrow("unreachable");
    }
  });

  it.each(names)("a connection out of a node of %s fails at once", async (name) => {
    const attempt = ["timeout", "5", "bash", "-c", `exec 3<>/dev/tcp/${outside}/80`];
    for (const node of clusterOf(name).nodes) {
      await expect(node.run("env", ...attempt)).rejects.toThrow("Network is unreachable");
    }
  });

  it.each(names)("a connection out of a pod of %s fails at once", async (name) => {
    const { exitCode, stderr } = await inPod(
      name,
      ...["curl", "--silent", "--show-error", "--max-time", "5", `http://${outside}/`],
    );
    // 7: could not connect; a packet that went anywhere would make it 28, a timeout.
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 7 });
  });

  it("no route leads from one cluster's pods to another's", async () => {
    for (const cluster of clusters) {
      const others = clusters.filter((candidate) => candidate !== cluster);
      for (const { own } of others.flatMap(({ nodes }) => nodes)) {
        const pod = nthAddress(own.podCidr, 2);
        for (const node of cluster.nodes) {
          await expect(node.run("ip", "route", "get", pod)).rejects.toThrow("unreachable");
        }
      }
    }
  });
});
