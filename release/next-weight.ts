import { allOf } from "../lib/enumerate.ts";
import type { ClusterClient } from "../fleet/cluster-client.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { deployedIn } from "./clusters.ts";
import { phaseWeights } from "./observer.ts";

/**
 * The weight that all clusters serve, and that of the phase after it.
 *
 * @param stack the stack's name
 * @throws if a cluster does not answer, or they differ
 */
export async function nextWeight(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
  stack: string,
): Promise<{ readonly now: number; readonly next: number | undefined }> {
  const deployed = await deployedIn(settings, clusters);
  const away = deployed.filter(({ unreachable }) => unreachable !== undefined);
  if (away.length > 0) {
    throw new Error(
      `No weight may rise while a cluster cannot be reached:\n${away.map(({ name, unreachable }) => ` - ${name}: ${unreachable ?? ""}`).join("\n")}`,
    );
  }
  const found = deployed.map((cluster) => ({
    name: cluster.name,
    weights: phaseWeights(settings, cluster),
  }));
  const weights = [...new Set(found.flatMap((each) => each.weights))];
  const [now = 0] = weights;
  if (weights.length > 1) {
    throw new Error(
      `No weight may rise while the clusters differ: ${found.map((each) => `${allOf(each.weights.map(String))} % in ${each.name}`).join(", ")}. Make them the same first: pulumi up --stack ${stack}, or npm run release -- rollback --stack ${stack} --to zero`,
    );
  }
  return { now, next: settings.phases.find((phase) => phase > now) };
}
