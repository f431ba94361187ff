import { installStandardMetrics } from "../../lab/mesh/standard-metrics.ts";
import { labSettings } from "../../lab/settings.ts";
import { stackFile, stackKey } from "../../lab/stack-file.ts";
import { labStack } from "../../lab/environment.ts";
import { labUp } from "../../lab/up.ts";
import { labClusters, labPulumi } from "./lab.ts";
import { meshReplicas, removeOwnStack, testHost, testReleases } from "./own-stack.ts";

/** Set once the lab is ready, since every project of lab tests has this set-up, in one process. */
const READY = "LAB_TESTS_READY";

/** Lets the mesh's gateways answer for the hosts of all test releases, beside those that they have. */
async function addIngressHosts(): Promise<void> {
  const ingress = await stackKey(stackFile(labSettings(), labStack), "ingress");
  const { hosts } = ingress as { readonly hosts: readonly string[] };
  const missing = testReleases.map(testHost).filter((host) => !hosts.includes(host));
  await labPulumi().setConfigs(
    Object.fromEntries(missing.map((host, i) => [`ingress.hosts[${hosts.length + i}]`, host])),
  );
}

/** Brings up what the lab tests run against: the clusters, and the mesh with the canary at 0 %. */
export async function setup(): Promise<void> {
  if (process.env[READY] !== undefined) return;
  process.env[READY] = "yes";
  await labUp(labSettings());
  const pulumi = labPulumi();
  await pulumi.setWeight(0);
  await addIngressHosts();
  await pulumi.setConfigs({
    "services[0].stable.replicas": String(meshReplicas),
    "services[0].canary.replicas": String(meshReplicas),
  });
  await pulumi.up("lab tests begin");
  await installStandardMetrics(labClusters());
}

export async function teardown(): Promise<void> {
  await removeOwnStack("faults");
}
