import path from "node:path";
import { dump } from "js-yaml";
import type { ClusterSettings } from "../settings.ts";
import { nthAddress, type ClusterAddresses } from "./addresses.ts";
import { apiServer, pkiDir } from "./certificates.ts";

/** How to tell that a component is ready. */
export type Probe =
  | {
      readonly kind: "http";
      /** Answers with status 200 as soon as the component is ready. */
      readonly url: string;
      /** Certificate and key file, without ending, to show to the component. */
      readonly client?: string;
    }
  | {
      readonly kind: "socket";
      /** Unix socket, as the node sees it, that the component listens on. */
      readonly path: string;
    };

/** One long-running program of a node, as data. */
export interface Component {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files that the program reads, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Components that must be ready before this one is started. */
  readonly after: readonly string[];
  readonly ready: Probe;
}

/** What the plan of a node depends on. */
export interface PlanInput {
  readonly cluster: ClusterSettings;
  readonly addresses: ClusterAddresses;
  /** Folder with the Kubernetes programs. */
  readonly bin: string;
  /** Cgroup of the cluster, with a leading slash, under which the kubelet keeps its pods. */
  readonly cgroup: string;
}

/** Where the node's containerd listens, as the node sees it. */
export const containerdSocket = "/run/containerd/containerd.sock";
/** Address of the cluster's DNS Service. */
export function dnsAddress(cluster: ClusterSettings): string {
  return nthAddress(cluster.serviceCidr, 10);
}

/** Everything that runs on a cluster's node. Mirrors what kubeadm sets up, for one node. */
export function nodePlan(input: PlanInput): readonly Component[] {
  return [
    etcd(input),
    apiServerComponent(input),
    controllerManager(input),
    scheduler(input),
    containerd(input),
    kubelet(input),
    proxy(input),
    loadBalancer(input),
  ];
}

function etcd({ cluster, addresses, bin }: PlanInput): Component {
  const metrics = `http://${addresses.node}:2381`;
  return {
    name: "etcd",
    program: path.join(bin, "etcd"),
    args: [
      "--name=lab",
      `--data-dir=${path.join(cluster.dir, "etcd")}`,
      "--listen-client-urls=http://127.0.0.1:2379",
      "--advertise-client-urls=http://127.0.0.1:2379",
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--initial-advertise-peer-urls=http://127.0.0.1:2380",
      "--initial-cluster=lab=http://127.0.0.1:2380",
      `--listen-metrics-urls=${metrics}`,
      // Survives the death of every process, not of the machine: enough for a lab, and much faster.
      "--unsafe-no-fsync",
    ],
    env: {},
    files: {},
    after: [],
    ready: { kind: "http", url: `${metrics}/readyz` },
  };
}

function apiServerComponent({ cluster, addresses, bin }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, "kube-apiserver");
  const admin = path.join(pki, "admin");
  return {
    name: "kube-apiserver",
    program: path.join(bin, "kube-apiserver"),
    args: [
      "--etcd-servers=http://127.0.0.1:2379",
      `--bind-address=${addresses.node}`,
      `--advertise-address=${addresses.node}`,
      "--secure-port=6443",
      `--tls-cert-file=${own}.crt`,
      `--tls-private-key-file=${own}.key`,
      `--client-ca-file=${path.join(pki, "ca.crt")}`,
      `--service-account-key-file=${path.join(pki, "service-accounts.pub")}`,
      `--service-account-signing-key-file=${path.join(pki, "service-accounts.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-cluster-ip-range=${cluster.serviceCidr}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      `--kubelet-certificate-authority=${path.join(pki, "ca.crt")}`,
      `--kubelet-client-certificate=${admin}.crt`,
      `--kubelet-client-key=${admin}.key`,
      // The node's name is in no DNS: exec, logs and port-forward go to its address.
      "--kubelet-preferred-address-types=InternalIP",
    ],
    env: {},
    files: {},
    after: ["etcd"],
    ready: { kind: "http", url: `${apiServer(addresses)}/readyz`, client: admin },
  };
}

function controllerManager({ cluster, addresses, bin }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, "kube-controller-manager");
  return {
    name: "kube-controller-manager",
    program: path.join(bin, "kube-controller-manager"),
    args: [
      ...controlPlaneArgs(own, addresses),
      `--service-account-private-key-file=${path.join(pki, "service-accounts.key")}`,
      `--root-ca-file=${path.join(pki, "ca.crt")}`,
      `--cluster-signing-cert-file=${path.join(pki, "ca.crt")}`,
      `--cluster-signing-key-file=${path.join(pki, "ca.key")}`,
      "--use-service-account-credentials",
    ],
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `https://${addresses.node}:10257/healthz` },
  };
}

function scheduler({ cluster, addresses, bin }: PlanInput): Component {
  return {
    name: "kube-scheduler",
    program: path.join(bin, "kube-scheduler"),
    args: controlPlaneArgs(path.join(pkiDir(cluster), "kube-scheduler"), addresses),
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `https://${addresses.node}:10259/readyz` },
  };
}

function controlPlaneArgs(own: string, addresses: ClusterAddresses): string[] {
  return [
    `--kubeconfig=${own}.kubeconfig`,
    `--authentication-kubeconfig=${own}.kubeconfig`,
    `--authorization-kubeconfig=${own}.kubeconfig`,
    `--bind-address=${addresses.node}`,
    `--tls-cert-file=${own}.crt`,
    `--tls-private-key-file=${own}.key`,
    "--leader-elect=false",
  ];
}

function containerd({ cluster }: PlanInput): Component {
  const config = path.join(cluster.dir, "containerd.toml");
  const cni = path.join(cluster.dir, "cni");
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
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`,
      [path.join(cni, "10-bridge.conflist")]: JSON.stringify({
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
              ranges: [[{ subnet: cluster.podCidr }]],
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

function kubelet({ cluster, addresses, bin, cgroup }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, "kubelet");
  const config = path.join(cluster.dir, "kubelet.yaml");
  const resolvConf = path.join(cluster.dir, "resolv.conf");
  return {
    name: "kubelet",
    program: path.join(bin, "kubelet"),
    args: [
      `--config=${config}`,
      `--kubeconfig=${own}.kubeconfig`,
      "--root-dir=/var/lib/kubelet",
      "--cert-dir=/var/lib/kubelet/pki",
      `--hostname-override=${cluster.nodeName}`,
      `--node-ip=${addresses.node}`,
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
        address: addresses.node,
        healthzBindAddress: addresses.node,
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
        // The images come from no registry: what is collected could not be pulled again.
        imageGCHighThresholdPercent: 100,
        evictionHard: { "memory.available": "100Mi" },
      }),
    },
    after: ["kube-apiserver", "containerd"],
    ready: { kind: "http", url: `http://${addresses.node}:10248/healthz` },
  };
}

function proxy({ cluster, addresses, bin }: PlanInput): Component {
  const config = path.join(cluster.dir, "kube-proxy.yaml");
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
        hostnameOverride: cluster.nodeName,
        healthzBindAddress: `${addresses.node}:10256`,
        metricsBindAddress: "127.0.0.1:10249",
        // These limits belong to the whole machine: leave them as they are.
        conntrack: { maxPerCore: 0, min: 0 },
      }),
    },
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `http://${addresses.node}:10256/livez` },
  };
}

function loadBalancer({ cluster, addresses }: PlanInput): Component {
  return {
    name: "load-balancer",
    program: process.execPath,
    args: [
      path.join(import.meta.dirname, "load-balancer.ts"),
      `--kubeconfig=${path.join(pkiDir(cluster), "load-balancer.kubeconfig")}`,
      `--addresses=${addresses.loadBalancers.join(",")}`,
      `--listen=${addresses.node}:10260`,
    ],
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `http://${addresses.node}:10260/healthz` },
  };
}
