import { z } from "zod";

import type { ClusterClient } from "../../fleet/cluster-client.ts";
import type { PulumiCli } from "../pulumi.ts";
import { loadFromOutside, loadInMesh, type LoadClient } from "./load.ts";

/** The part of the outputs of the mesh's stack that is used. */
const stackOutputs = z.looseObject({
  clusters: z.record(
    z.string(),
    z.looseObject({ gateways: z.looseObject({ ingress: z.array(z.string()).min(1) }) }),
  ),
});

/** A service's names for clients. */
export interface Called {
  /** Inside the mesh. */
  readonly host: string;
  /** At the ingress gateways. */
  readonly ingressHost: string;
}

/**
 * Starts a client inside each cluster, and one outside through each cluster's ingress gateway.
 *
 * @param mesh the stack that has installed the mesh
 * @param rate requests a second of each. @default that of a load client
 */
export async function startClients(
  clusters: readonly ClusterClient[],
  mesh: PulumiCli,
  { host, ingressHost }: Called,
  rate?: number,
): Promise<LoadClient[]> {
  const outputs = stackOutputs.parse(await mesh.outputs());
  const inMesh = await Promise.all(
    clusters.map((cluster) => loadInMesh(cluster, `http://${host}/`, rate)),
  );
  const outside = clusters.map(({ name }) => {
    const address = outputs.clusters[name]?.gateways.ingress[0];
    if (!address) throw new Error(`the stack's outputs name no ingress gateway of ${name}`);
    return loadFromOutside(name, ingressHost, address, rate);
  });
  return [...inMesh, ...outside];
}
