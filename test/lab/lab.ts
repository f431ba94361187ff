import { z } from "zod";

import { labStack } from "../../lab/environment.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { labSettings } from "../../lab/settings.ts";
import { target, targetClusters } from "./target.ts";

const settings = labSettings();

/** The clusters that the tests run on: the lab's in the order of its settings, or those of `make e2e`. */
export function labClusters(): ClusterClient[] {
  return targetClusters();
}

/** The Pulumi CLI on a stack of theirs. */
export function labPulumi(stack: string = labStack): PulumiCli {
  return new PulumiCli(settings.root, target.environment(), stack);
}

const stackOutputs = z.looseObject({
  clusters: z.record(
    z.string(),
    z.looseObject({
      gateways: z.looseObject({ ingress: z.array(z.string()), eastWest: z.array(z.string()) }),
    }),
  ),
});

/** The address of a cluster's ingress gateway, as the stack's outputs name it, or the set-up of `make e2e`. */
export async function ingressAddress(cluster: string): Promise<string> {
  const known = target.ingress?.(cluster);
  if (known !== undefined) return known;
  const { clusters } = stackOutputs.parse(await labPulumi().outputs());
  const address = clusters[cluster]?.gateways.ingress[0];
  if (!address) throw new Error(`the stack's outputs name no ingress gateway of ${cluster}`);
  return address;
}
