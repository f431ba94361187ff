import path from "node:path";
import type { PlacedNode } from "./addresses.ts";
import { apiServer, pkiDir } from "./certificates.ts";
import type { Component, PlanInput } from "./plan.ts";

/** The store of the cluster's objects. */
export function etcd({ cluster, node, bin }: PlanInput): Component {
  const metrics = `http://${node.address}:2381`;
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

/** The API server. */
export function apiServerComponent({ cluster, addresses, node, bin }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, "kube-apiserver");
  const admin = path.join(pki, "admin");
  return {
    name: "kube-apiserver",
    program: path.join(bin, "kube-apiserver"),
    args: [
      "--etcd-servers=http://127.0.0.1:2379",
      `--bind-address=${node.address}`,
      `--advertise-address=${node.address}`,
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

/** The controllers that come with Kubernetes. */
export function controllerManager({ cluster, node, bin }: PlanInput): Component {
  const pki = pkiDir(cluster);
  const own = path.join(pki, "kube-controller-manager");
  return {
    name: "kube-controller-manager",
    program: path.join(bin, "kube-controller-manager"),
    args: [
      ...controlPlaneArgs(own, node),
      `--service-account-private-key-file=${path.join(pki, "service-accounts.key")}`,
      `--root-ca-file=${path.join(pki, "ca.crt")}`,
      `--cluster-signing-cert-file=${path.join(pki, "ca.crt")}`,
      `--cluster-signing-key-file=${path.join(pki, "ca.key")}`,
      "--use-service-account-credentials",
    ],
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `https://${node.address}:10257/healthz` },
  };
}

/** The scheduler. */
export function scheduler({ cluster, node, bin }: PlanInput): Component {
  return {
    name: "kube-scheduler",
    program: path.join(bin, "kube-scheduler"),
    args: controlPlaneArgs(path.join(pkiDir(cluster), "kube-scheduler"), node),
    env: {},
    files: {},
    after: ["kube-apiserver"],
    ready: { kind: "http", url: `https://${node.address}:10259/readyz` },
  };
}

function controlPlaneArgs(own: string, node: PlacedNode): string[] {
  return [
    `--kubeconfig=${own}.kubeconfig`,
    `--authentication-kubeconfig=${own}.kubeconfig`,
    `--authorization-kubeconfig=${own}.kubeconfig`,
    `--bind-address=${node.address}`,
    `--tls-cert-file=${own}.crt`,
    `--tls-private-key-file=${own}.key`,
    "--leader-elect=false",
  ];
}
