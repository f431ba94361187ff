import type { Cluster } from "../../lab/clusters/cluster.ts";
import { knownClusters } from "../../lab/clusters/lab.ts";
import { labSettings } from "../../lab/settings.ts";
import { runningCluster } from "./component.ts";

/** The chain of iptables that holds what {@link disturb} adds. */
const CHAIN = "LAB-CUT";

/** What becomes of the packets between a cluster's pods and the other clusters. */
export type Disturbance =
  /** They are lost: whoever waits for an answer is not told that none will come. */
  | { readonly kind: "drop" }
  /** Connections are reset. */
  | { readonly kind: "reset" }
  /** This share of them is lost, 0 to 1. */
  | { readonly kind: "loss"; readonly share: number };

/** What iptables does with a packet. */
function target(disturbance: Disturbance): string {
  switch (disturbance.kind) {
    case "drop":
      return "-j DROP";
    case "reset":
      return "-p tcp -j REJECT --reject-with tcp-reset";
    case "loss":
      return `-m statistic --mode random --probability ${disturbance.share} -j DROP`;
  }
}

async function run(cluster: Cluster, script: string): Promise<void> {
  for (const node of cluster.nodes) await node.run("sh", "-euc", script);
}

/**
 * Disturbs what passes between the pods of a cluster, its gateways among them, and the other clusters. Its API server and the host
 * reach everything as before. {@link mend} takes it back.
 */
export async function disturb(name: string, disturbance: Disturbance): Promise<void> {
  await mend(name);
  const others = ((await knownClusters(labSettings())) ?? [])
    .filter(({ settings }) => settings.name !== name)
    .flatMap(({ addresses: { nodes, loadBalancers } }) => [
      ...nodes.map(({ address }) => address),
      ...loadBalancers,
    ]);
  const rule = target(disturbance);
  await run(
    await runningCluster(name),
    [
      `iptables -w -N ${CHAIN}`,
      ...others.flatMap((address) => [
        `iptables -w -A ${CHAIN} -s ${address} ${rule}`,
        `iptables -w -A ${CHAIN} -d ${address} ${rule}`,
      ]),
      // All at once, and before what kube-proxy lets through.
      `iptables -w -I FORWARD -j ${CHAIN}`,
    ].join("\n"),
  );
}

/** Lets pass again what {@link disturb} has disturbed, if it has. */
export async function mend(name: string): Promise<void> {
  await run(
    await runningCluster(name),
    `if iptables -w -n -L ${CHAIN} >/dev/null 2>&1; then
       iptables -w -D FORWARD -j ${CHAIN} || true
       iptables -w -F ${CHAIN}
       iptables -w -X ${CHAIN}
     fi`,
  );
}
