import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { isIpv4Cidr, nthPart, nthRange, overlap } from "./clusters/addresses.ts";

/** One node of a cluster. */
export interface NodeSettings {
  /** Name in Kubernetes. */
  readonly name: string;
  /** What tells its names from those of the cluster's first node, which has none: `.2`, `.3`. */
  readonly suffix: string;
  /** Whether the cluster's control plane runs on it, as it does on the first node. */
  readonly controlPlane: boolean;
  /** Place among the nodes of all clusters, from 0: decides the node's address. */
  readonly place: number;
  /** Addresses of its pods, a part of the cluster's; they exist only inside its network namespace. */
  readonly podCidr: string;
  /** Everything of the node on disk: configuration, logs, images. */
  readonly dir: string;
}

/** One cluster of the lab. */
export interface ClusterSettings {
  /** Name of the cluster and of its context in the kubeconfig. */
  readonly name: string;
  /** Place in the list of clusters, from 0: decides the cluster's addresses. */
  readonly index: number;
  /** Istio network that the cluster's pods are on. */
  readonly network: string;
  readonly nodes: readonly NodeSettings[];
  /** Addresses of the cluster's pods, on all of its nodes. */
  readonly podCidr: string;
  /** Addresses of the cluster's Services; every cluster uses the same, as separate clusters do. */
  readonly serviceCidr: string;
  /** The cluster's own files: keys and etcd, beside those of its first node. */
  readonly dir: string;
}

/** Everything that can be set about the lab; see {@link labSettings} for the variables. */
export interface LabSettings {
  /** The checkout that the lab belongs to. */
  readonly root: string;
  /** The lab's own folder in the checkout. */
  readonly dir: string;
  /** Short name, unique to the checkout, in every bridge, link and cgroup of the lab. */
  readonly id: string;
  readonly clusters: readonly ClusterSettings[];
  /** Addresses of the nodes, load balancers and the host; undefined: the first free /24 of 10.200.0.0/16. */
  readonly nodeCidr: string | undefined;
  readonly serviceCidr: string;
  /** Where built programs and images are kept between labs and checkouts. */
  readonly cacheDir: string;
  /** Longest time any one thing of a cluster may take to become ready, in milliseconds. */
  readonly readyTimeoutMs: number;
}

/** Nodes that a cluster can have: the addresses before the first load balancer are for so many. */
const maxNodes = 3;
/** Clusters that there can be if they have more than one node each. */
const maxClustersOfNodes = 10;

const dnsLabel = /^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$/;
const cidr = z.string().refine(isIpv4Cidr, "must be an IPv4 range such as 10.96.0.0/16");

const variables = z.object({
  LAB_CLUSTERS: z
    .string()
    .default("cluster-a,cluster-b")
    .transform((list) => list.split(",").map((name) => name.trim()))
    .refine(
      (names) => names.every((name) => dnsLabel.test(name)),
      "must be names of lower-case letters, digits and hyphens with commas between them",
    )
    .refine((names) => new Set(names).size === names.length, "must not name a cluster twice"),
  LAB_NODES: z.coerce.number().int().min(1).max(maxNodes).default(1),
  LAB_NODE_CIDR: cidr.optional(),
  LAB_POD_CIDR: cidr.default("10.201.0.0/16"),
  LAB_SERVICE_CIDR: cidr.default("10.96.0.0/16"),
  LAB_CACHE: z.string().min(1).optional(),
  LAB_READY_TIMEOUT: z.coerce.number().int().min(1).default(120),
});

const environment = variables.refine(
  ({ LAB_CLUSTERS, LAB_NODES }) => LAB_NODES === 1 || LAB_CLUSTERS.length <= maxClustersOfNodes,
  { path: ["LAB_NODES"], message: `must be 1 with more than ${maxClustersOfNodes} clusters` },
);

/**
 * Reads the lab's settings from environment variables:
 *
 * - `LAB_CLUSTERS`: names of the clusters. Default `cluster-a,cluster-b`.
 * - `LAB_NODES`: nodes of each cluster, at most 3. Default 1.
 * - `LAB_NODE_CIDR`: addresses of nodes, load balancers and the host on their common bridge. Default:
 *   the first /24 of 10.200.0.0/16 that nothing on the machine uses.
 * - `LAB_POD_CIDR`: pods of the first cluster; each further cluster takes the next range of that
 *   size. Default `10.201.0.0/16`.
 * - `LAB_SERVICE_CIDR`: Services of every cluster. Default `10.96.0.0/16`.
 * - `LAB_CACHE`: cache of built programs and images. Default `$XDG_CACHE_HOME/istio-canary-lab` or
 *   `~/.cache/istio-canary-lab`.
 * - `LAB_READY_TIMEOUT`: seconds that any one component may take to become ready. Default 120.
 *
 * @param root the checkout; two checkouts are two labs
 */
export function labSettings(
  root: string = path.dirname(import.meta.dirname),
  env: NodeJS.ProcessEnv = process.env,
): LabSettings {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    throw new Error(
      ["Settings of the lab are wrong:"]
        .concat(
          parsed.error.issues.map((issue) => {
            const key = String(issue.path[0]);
            return ` - ${key}: ${issue.message}, got "${env[key] ?? ""}"`;
          }),
        )
        .join("\n"),
    );
  }
  const values = parsed.data;
  const checkout = realpathSync(root);
  const dir = path.join(checkout, ".lab");
  const clusters = values.LAB_CLUSTERS.map((name, index) => {
    const podCidr = nthRange(values.LAB_POD_CIDR, index);
    const clusterDir = path.join(dir, "clusters", name);
    return {
      name,
      index,
      network: name.startsWith("cluster-")
        ? name.replace("cluster-", "network-")
        : `${name}-network`,
      nodes: Array.from({ length: values.LAB_NODES }, (_, node) => {
        // No cluster's name has a dot: no node's folder is another cluster's.
        const suffix = node === 0 ? "" : `.${node + 1}`;
        return {
          name: `${name}-node${suffix}`,
          suffix,
          controlPlane: node === 0,
          // A cluster that is added later changes no other one's addresses.
          place: index + node * maxClustersOfNodes,
          podCidr: nthPart(podCidr, node, values.LAB_NODES),
          dir: `${clusterDir}${suffix}`,
        };
      }),
      podCidr,
      serviceCidr: values.LAB_SERVICE_CIDR,
      dir: clusterDir,
    };
  });
  const inside = clusters.map((cluster) => cluster.podCidr).concat(values.LAB_SERVICE_CIDR);
  const clash = inside.find((range, index) =>
    [...inside.slice(0, index), ...(values.LAB_NODE_CIDR ? [values.LAB_NODE_CIDR] : [])].some(
      (other) => overlap(range, other),
    ),
  );
  if (clash) {
    throw new Error(
      `Settings of the lab are wrong:\n - address range ${clash} overlaps with another one of the lab: ` +
        "set LAB_NODE_CIDR, LAB_POD_CIDR and LAB_SERVICE_CIDR to ranges that do not overlap",
    );
  }
  return {
    root: checkout,
    dir,
    id: createHash("sha256").update(checkout).digest("hex").slice(0, 6),
    clusters,
    nodeCidr: values.LAB_NODE_CIDR,
    serviceCidr: values.LAB_SERVICE_CIDR,
    cacheDir:
      values.LAB_CACHE ??
      path.join(env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "istio-canary-lab"),
    readyTimeoutMs: values.LAB_READY_TIMEOUT * 1000,
  };
}
