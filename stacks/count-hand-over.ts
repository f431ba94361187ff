import type * as pulumi from "@pulumi/pulumi";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { handOverCount } from "../fleet/hand-over-count.ts";
import { workloadName } from "../lib/version-name.ts";
import type { ReleaseSettings, ServiceSettings } from "./config.ts";

/** Hands the counts of running Deployments over to autoscalers, before Pulumi drops them. */
export class CountHandOver {
  readonly #clusters: ReadonlyMap<string, ClusterClient>;

  constructor({ clusters }: Pick<ReleaseSettings, "clusters">) {
    this.#clusters = new Map(
      clusters.map(({ name, context, kubeconfig }) => [
        name,
        new ClusterClient({ name, context, kubeconfig }),
      ]),
    );
  }

  /**
   * What has to happen around Pulumi's update of the Deployment of a version. Before each one, not only the first
   * without a count: Pulumi may have come to own the count in other ways.
   */
  hooks(
    cluster: string,
    { name, namespace, autoscaling }: Pick<ServiceSettings, "name" | "namespace" | "autoscaling">,
    version: string,
  ): pulumi.ResourceHookBinding | undefined {
    if (!autoscaling) return undefined;
    const client = this.#clusters.get(cluster);
    if (!client) throw new Error(`there is no cluster ${cluster}`);
    return {
      beforeUpdate: [() => handOverCount(client, { name: workloadName(name, version), namespace })],
    };
  }
}
