import path from "node:path";
import { describe, expect, it } from "vitest";
import { clusterAddresses } from "../clusters/addresses.ts";
import { nodePlan, type Component } from "../clusters/plan.ts";
import { labSettings } from "../settings.ts";

/** The plans of the nodes of a cluster, and the cluster's folder. */
function planned(nodes: number) {
  const settings = labSettings(path.resolve(import.meta.dirname, "../.."), {
    LAB_CLUSTERS: "one,two",
    LAB_NODES: String(nodes),
    LAB_POD_CIDR: "10.50.0.0/16",
    LAB_SERVICE_CIDR: "10.60.0.0/16",
  });
  const [, cluster] = settings.clusters;
  if (!cluster) throw new Error("there is no second cluster");
  const addresses = clusterAddresses("10.40.0.0/24", cluster);
  const plans = addresses.nodes.map((node) =>
    nodePlan({ cluster, addresses, node, bin: "/bin", cgroup: "/lab-abc/two" }),
  );
  return { dir: cluster.dir, plans };
}

const {
  dir,
  plans: [plan = []],
} = planned(1);

function component(name: string): Component {
  const found = plan.find((entry) => entry.name === name);
  if (!found) throw new Error(`the plan has no ${name}`);
  return found;
}

function file(of: string, name: string): string {
  return component(of).files[path.join(dir, name)] ?? "";
}

describe("the plan of a node", () => {
  it("starts each component after those it needs", () => {
    expect(Object.fromEntries(plan.map(({ name, after }) => [name, after]))).toEqual({
      etcd: [],
      "kube-apiserver": ["etcd"],
      "kube-controller-manager": ["kube-apiserver"],
      "kube-scheduler": ["kube-apiserver"],
      containerd: [],
      kubelet: ["kube-apiserver", "containerd"],
      "kube-proxy": ["kube-apiserver"],
      "load-balancer": ["kube-apiserver"],
    });
  });

  it("names for each component how to tell that it is ready", () => {
    expect(Object.fromEntries(plan.map(({ name, ready }) => [name, ready]))).toEqual({
      etcd: { kind: "http", url: "http://10.40.0.3:2381/readyz" },
      "kube-apiserver": {
        kind: "http",
        url: "https://10.40.0.3:6443/readyz",
        client: path.join(dir, "pki/admin"),
      },
      "kube-controller-manager": { kind: "http", url: "https://10.40.0.3:10257/healthz" },
      "kube-scheduler": { kind: "http", url: "https://10.40.0.3:10259/readyz" },
      containerd: { kind: "socket", path: "/run/containerd/containerd.sock" },
      kubelet: { kind: "http", url: "http://10.40.0.3:10248/healthz" },
      "kube-proxy": { kind: "http", url: "http://10.40.0.3:10256/livez" },
      "load-balancer": { kind: "http", url: "http://10.40.0.3:10260/healthz" },
    });
  });

  it("keeps etcd's clients on the node", () => {
    const { program, args } = component("etcd");
    expect(program).toBe("/bin/etcd");
    expect(args).toEqual([
      "--name=lab",
      `--data-dir=${dir}/etcd`,
      "--listen-client-urls=http://127.0.0.1:2379",
      "--advertise-client-urls=http://127.0.0.1:2379",
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--initial-advertise-peer-urls=http://127.0.0.1:2380",
      "--initial-cluster=lab=http://127.0.0.1:2380",
      "--listen-metrics-urls=http://10.40.0.3:2381",
      "--unsafe-no-fsync",
    ]);
  });

  it("has every address of the cluster from the settings", () => {
    expect(component("kube-apiserver").args).toEqual(
      expect.arrayContaining([
        "--bind-address=10.40.0.3",
        "--service-cluster-ip-range=10.60.0.0/16",
        "--kubelet-preferred-address-types=InternalIP",
      ]),
    );
    expect(file("kubelet", "kubelet.yaml")).toContain("clusterDNS:\n  - 10.60.0.10");
    expect(file("kubelet", "kubelet.yaml")).toContain("cgroupRoot: /lab-abc/two");
    expect(file("kube-proxy", "kube-proxy.yaml")).toContain("clusterCIDR: 10.51.0.0/16");
    expect(file("containerd", "cni/10-bridge.conflist")).toContain('"subnet":"10.51.0.0/16"');
    // The folders are the same on each node, for the values of an agent's chart.
    expect(file("containerd", "containerd.toml")).toContain('conf_dir = "/var/lib/cni/net.d"');
    expect(component("load-balancer").args).toContain(
      `--addresses=${Array.from({ length: 31 }, (_, n) => `10.40.0.${64 + n}`).join(",")}`,
    );
  });

  it("gives pods no name server outside of the cluster", () => {
    expect(file("kubelet", "resolv.conf")).not.toMatch(/^nameserver/m);
  });

  it("is, for a node after the first, what runs pods, at addresses of its own", () => {
    const { plans } = planned(2);
    const [first = [], second = []] = plans;
    expect(first.map(({ name }) => name)).toEqual(plan.map(({ name }) => name));
    expect(
      second.map(({ name, ready }) => [name, "url" in ready ? ready.url : ready.path]),
    ).toEqual([
      ["containerd", "/run/containerd/containerd.sock"],
      ["kubelet", "http://10.40.0.13:10248/healthz"],
      ["kube-proxy", "http://10.40.0.13:10256/livez"],
    ]);
    const [containerd, kubelet, proxy] = second;
    const subnet = (of: Component | undefined, folder: string) =>
      /"subnet":"([^"]+)"/.exec(of?.files[path.join(folder, "cni/10-bridge.conflist")] ?? "")?.[1];
    expect(subnet(containerd, `${dir}.2`)).toBe("10.51.128.0/17");
    const firstContainerd = first.find(({ name }) => name === "containerd");
    expect(subnet(firstContainerd, dir)).toBe("10.51.0.0/17");
    expect(kubelet?.args).toEqual(
      expect.arrayContaining([
        `--config=${dir}.2/kubelet.yaml`,
        `--kubeconfig=${dir}/pki/kubelet.2.kubeconfig`,
        "--hostname-override=two-node.2",
        "--node-ip=10.40.0.13",
      ]),
    );
    // Whose pods are not hidden behind the node's address: those of the whole cluster.
    expect(proxy?.files[`${dir}.2/kube-proxy.yaml`]).toContain("clusterCIDR: 10.51.0.0/16");
  });

  it("has no secret in its arguments", () => {
    for (const { args } of plan) expect(args.join(" ")).not.toMatch(/PRIVATE KEY|token=/);
  });
});
