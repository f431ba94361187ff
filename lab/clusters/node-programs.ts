import path from "node:path";
import { dump } from "js-yaml";
import type { ClusterSettings } from "../settings.ts";
import { nthAddress } from "./addresses.ts";
import { kubeletIdentity, pkiDir } from "./certificates.ts";
import type { Component, PlanInput } from "./plan.ts";

/** Where the node's containerd listens, as the node sees it. */
export const containerdSocket = "/run/containerd/containerd.sock";
/**
 * Where the node's containerd finds the network of pods, and the plugins that make it, as the node sees it: agents on
 * the node may write to both.
 */
export const cniFolders = { config: "/var/lib/cni/net.d", plugins: "/var/lib/cni/bin" };

/** Address of the cluster's DNS Service. */
export function dnsAddress(cluster: ClusterSettings): string {
  return nthAddress(cluster.serviceCidr, 10);
}

/** Runs the containers, and joins pods to a bridge inside the node. */
export function containerd({ node }: PlanInput): Component {
  const config = path.join(node.dir, "containerd.toml");
  return {
    name: "containerd",
    program: "/usr/bin/containerd",
    args: ["--config", config],
    env: {},
    files: {
      [config]: `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  # Containers may lack the capability to lower the score below the daemon's own.
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniFolders.plugins}"
    conf_dir = "${cniFolders.config}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`,
      [path.join(node.dir, "cni", "10-bridge.conflist")]: JSON.stringify({
        cniVersion: "0.4.0",
        name: "lab",
        plugins: [
          {
            type: "bridge",
            bridge: "cni0",
            isGateway: true,
            ipMasq: true,
            hairpinMode: true,
            ipam: {
              type: "host-local",
              ranges: [[{ subnet: node.podCidr }]],
              // Leases die with the node, as the pods' network does.
              dataDir: "/run/cni",
              routes: [{ dst: "0.0.0.0/0" }],
            },
          },
          { type: "portmap", capabilities: { portMappings: true } },
        ],
      }),
    },
    after: [],
    ready: { kind: "socket", path: containerdSocket },
  };
}

/** Starts the pods that are meant for the node. */
export function kubelet({ cluster, node, bin, cgroup }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, kubeletIdentity(node));
  const config = path.join(node.dir, "kubelet.yaml");
  const resolvConf = path.join(node.dir, "resolv.conf");
  return {
    name: "kubelet",
    program: path.join(bin, "kubelet"),
    args: [
      `--config=${config}`,
      `--kubeconfig=${own}.kubeconfig`,
      "--root-dir=/var/lib/kubelet",
      "--cert-dir=/var/lib/kubelet/pki",
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
    ],
    env: {},
    files: {
      // Pods with dnsPolicy Default get this one: the lab has no name server to ask outside.
      [resolvConf]: "# The lab is sealed: there is no name server outside of the cluster.\n",
      [config]: dump({
        apiVersion: "kubelet.config.k8s.io/v1beta1",
        kind: "KubeletConfiguration",
        authentication: {
          anonymous: { enabled: false },
          webhook: { enabled: true },
          x509: { clientCAFile: path.join(pki, "ca.crt") },
        },
        authorization: { mode: "Webhook" },
        address: node.address,
        healthzBindAddress: node.address,
        tlsCertFile: `${own}.crt`,
        tlsPrivateKeyFile: `${own}.key`,
        clusterDNS: [dnsAddress(cluster)],
        clusterDomain: "cluster.local",
        resolvConf,
        containerRuntimeEndpoint: `unix://${containerdSocket}`,
        podLogsDir: "/var/log/pods",
        cgroupDriver: "cgroupfs",
        cgroupRoot: cgroup,
        cgroupsPerQOS: true,
        enforceNodeAllocatable: [],
        failCgroupV1: false,
        failSwapOn: false,
        // Lets the kubelet run without the rights to set kernel parameters and OOM scores.
        featureGates: { KubeletInUserNamespace: true },
        localStorageCapacityIsolation: false,
        // The images are in no registry: what is garbage-collected cannot be pulled again.
        imageGCHighThresholdPercent: 100,
        evictionHard: { "memory.available": "100Mi" },
      }),
    },
    after: ["kube-apiserver", "containerd"],
    ready: { kind: "http", url: `http://${node.address}:10248/healthz` },
  };
}

/** Makes Service addresses lead to pods. */
export function proxy({ cluster, node, bin }: PlanInput): Component {
  const config = path.join(node.dir, "kube-proxy.yaml");
  return {
    name: "kube-proxy",
    program: path.join(bin, "kube-proxy"),
    args: [`--config=${config}`],
    env: {},
    files: {
      [config]: dump({
        apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
        kind: "KubeProxyConfiguration",
        clientConnection: { kubeconfig: path.join(pkiDir(cluster), "kube-proxy.kubeconfig") },
        mode: "iptables",
        clusterCIDR: cluster.podCidr,
        hostnameOverride: node.name,
        healthzBindAddress: `${node.address}:10256`,
        metricsBindAddress: "127.0.0.1:10249",
        // These limits belong to the whole machine: leave them as they are.
        conntrack: { maxPerCore: 0, min: 0 },
      }),
    },
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `http://${node.address}:10256/livez` },
  };
}

/** Stands in for a cloud's load balancers: see load-balancer.ts. */
export function loadBalancer({ cluster, addresses, node }: PlanInput): Component {
  return {
    name: "load-balancer",
    program: process.execPath,
    args: [
      path.join(import.meta.dirname, "load-balancer.ts"),
      `--kubeconfig=${path.join(pkiDir(cluster), "load-balancer.kubeconfig")}`,
      `--addresses=${addresses.loadBalancers.join(",")}`,
      `--listen=${node.address}:10260`,
    ],
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `http://${node.address}:10260/healthz` },
  };
}
