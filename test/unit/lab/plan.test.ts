import path from "node:path";
import { describe, expect, it } from "vitest";
import { clusterAddresses } from "../../../lab/clusters/addresses.ts";
import { nodePlan, type Component } from "../../../lab/clusters/plan.ts";
import { labSettings } from "../../../lab/settings.ts";

const settings = labSettings(path.resolve(import.meta.dirname, "../../.."), {
  LAB_CLUSTERS: "one,two",
  LAB_POD_CIDR: "10.50.0.0/16",
  LAB_SERVICE_CIDR: "10.60.0.0/16",
});
const [, two] = settings.clusters;
if (!two) throw new Error("there is no second cluster");
const dir = two.dir;
const plan = nodePlan({
  cluster: two,
  addresses: clusterAddresses("10.40.0.0/24", 1),
  bin: "/bin",
  cgroup: "/lab-abc/two",
});

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
    expect(component("load-balancer").args).toContain(
      `--addresses=${Array.from({ length: 31 }, (_, n) => `10.40.0.${64 + n}`).join(",")}`,
    );
  });

  it("gives pods no name server outside of the cluster", () => {
    expect(file("kubelet", "resolv.conf")).not.toMatch(/^nameserver/m);
  });

  it("has no secret in its arguments", () => {
    for (const { args } of plan) expect(args.join(" ")).not.toMatch(/PRIVATE KEY|token=/);
  });
});
