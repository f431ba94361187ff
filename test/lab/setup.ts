import { installStandardMetrics } from "../../lab/mesh/standard-metrics.ts";
import { labSettings } from "../../lab/settings.ts";
import { labUp } from "../../lab/up.ts";
import { labClusters, labPulumi } from "./lab.ts";

/** Brings up what the lab tests run against: the clusters, and the mesh with the canary at 0 %. */
export async function setup(): Promise<void> {
  await labUp(labSettings());
  const pulumi = labPulumi();
  await pulumi.setWeight(0);
  await pulumi.up("lab tests begin");
  await installStandardMetrics(labClusters());
}
