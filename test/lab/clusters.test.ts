import { stat } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nthAddress } from "../../lab/clusters/addresses.ts";
import type { Cluster } from "../../lab/clusters/cluster.ts";
import { labStatus } from "../../lab/clusters/status.ts";
import { labEnvironment, labPaths } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";
import { labUp } from "../../lab/up.ts";
import { until } from "../../lib/until.ts";
import { runningCluster, signal } from "./component.ts";

const settings = labSettings();
const names = settings.clusters.map(({ name }) => name);
const namespace = "lab-clusters-test";
/** Nobody's address, by RFC 5737: a connection to it can only fail. */
const outside = "198.51.100.1";
const apiServerService = nthAddress(settings.serviceCidr, 1);
let clusters: Cluster[];

const manifest = {
  apiVersion: "v1",
  kind: "List",
  items: [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "client", namespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: "client", image: "docker.io/lab/client:1", command: ["sleep", "infinity"] },
        ],
      },
    },
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
  ],
};

function kubectl(cluster: string, args: readonly string[], input?: string) {
  return execa("kubectl", ["--context", cluster, "--namespace", namespace, ...args], {
    env: labEnvironment(settings),
    ...(input === undefined ? { stdin: "ignore" } : { input }),
  });
}

/** Runs a command in the cluster's client pod. */
function inPod(cluster: string, ...command: string[]) {
  return execa(
    "kubectl",
    ["--context", cluster, "--namespace", namespace, "exec", "client", "--", ...command],
    { env: labEnvironment(settings), stdin: "ignore", reject: false },
  );
}

/** Has the client pod call the API server by its name in DNS; tells the answer and who gave it. */
async function asksApiServer(cluster: string): Promise<string> {
  const options = ["--silent", "--show-error", "--insecure", "--max-time", "10"];
  const format = ["--write-out", " from %{remote_ip}"];
  const { stdout, stderr } = await inPod(
    cluster,
    ...["curl", ...options, ...format, "https://kubernetes.default.svc.cluster.local/livez"],
  );
  return stdout + stderr;
}

function clusterOf(name: string): Cluster {
  const cluster = clusters.find(({ settings }) => settings.name === name);
  if (!cluster) throw new Error(`there is no cluster ${name}`);
  return cluster;
}

beforeAll(async () => {
  clusters = await Promise.all(names.map((name) => runningCluster(name)));
  await Promise.all(
    names.map(async (name) => {
      await kubectl(name, ["apply", "--server-side", "-f", "-"], JSON.stringify(manifest));
      await kubectl(name, ["wait", "--for=condition=Ready", "--timeout=60s", "pod", "--all"]);
    }),
  );
});

afterAll(async () => {
  await Promise.all(names.map((name) => kubectl(name, ["delete", "namespace", namespace])));
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

describe("a component that has died", () => {
  it("is named with the end of its log, and mended by the next up", async () => {
    const [first = "", last = ""] = [names[0], names.at(-1)];
    await signal(first, "kubelet", "SIGKILL");
    await signal(last, "etcd", "SIGKILL");
    const { text, ok } = await labStatus(settings);
    expect(ok).toBe(false);
    expect(text).toContain(`kubelet of ${first} is dead`);
    expect(text).toContain(`etcd of ${last} is dead`);
    expect(text).toMatch(/End of .*\/etcd\.log:\n {2}\{"level":/);

    await labUp(settings);
    expect((await labStatus(settings)).ok).toBe(true);
    for (const name of names) {
      expect(await asksApiServer(name), name).toBe(`ok from ${apiServerService}`);
    }
  });
});
