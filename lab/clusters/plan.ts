import type { ClusterSettings } from "../settings.ts";
import type { ClusterAddresses, PlacedNode } from "./addresses.ts";
import { apiServerComponent, controllerManager, etcd, scheduler } from "./control-plane.ts";
import { containerd, kubelet, loadBalancer, proxy } from "./node-programs.ts";

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
  /** Components, of this node or else of the control plane's, that must be ready before this one is started. */
  readonly after: readonly string[];
  readonly ready: Probe;
}

/** What the plan of a node depends on. */
export interface PlanInput {
  readonly cluster: ClusterSettings;
  readonly addresses: ClusterAddresses;
  /** The node that is planned. */
  readonly node: PlacedNode;
  /** Folder with the Kubernetes programs. */
  readonly bin: string;
  /** Cgroup of the node, with a leading slash, under which the kubelet keeps its pods. */
  readonly cgroup: string;
}

/** Everything that runs on a node of a cluster. Mirrors what kubeadm sets up, for one control plane. */
export function nodePlan(input: PlanInput): readonly Component[] {
  const pods = [containerd(input), kubelet(input), proxy(input)];
  if (!input.node.controlPlane) return pods;
  return [
    etcd(input),
    apiServerComponent(input),
    controllerManager(input),
    scheduler(input),
    ...pods,
    loadBalancer(input),
  ];
}
