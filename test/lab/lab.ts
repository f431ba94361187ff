import path from "node:path";

import { z } from "zod";

import { labEnvironment, labStack } from "../../lab/environment.ts";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";

const settings = labSettings();

/** The lab's clusters, in the order of its settings. */
export function labClusters(): ClusterClient[] {
  const kubeconfig = path.join(settings.dir, "kubeconfig");
  return settings.clusters.map(
    ({ name }) => new ClusterClient({ name, context: name, kubeconfig }),
  );
}

/** The Pulumi CLI on a stack of the lab. */
export function labPulumi(stack: string = labStack): PulumiCli {
  return new PulumiCli(settings.root, labEnvironment(settings), stack);
}

const stackOutputs = z.looseObject({
  clusters: z.record(
    z.string(),
    z.looseObject({
      gateways: z.looseObject({ ingress: z.array(z.string()), eastWest: z.array(z.string()) }),
    }),
  ),
});

/** The address of a cluster's ingress gateway, as the stack's outputs name it. */
export async function ingressAddress(cluster: string): Promise<string> {
  const { clusters } = stackOutputs.parse(await labPulumi().outputs());
  const address = clusters[cluster]?.gateways.ingress[0];
  if (!address) throw new Error(`the stack's outputs name no ingress gateway of ${cluster}`);
  return address;
}
