import { labSettings } from "../../lab/settings.ts";
import { stackFile, stackKey } from "../../lab/stack-file.ts";
import { labStack } from "../../lab/environment.ts";
import { labUp } from "../../lab/up.ts";
import { labPulumi } from "./lab.ts";
import { meshReplicas, removeOwnStack, testHost, testReleases } from "./own-stack.ts";
import { replicasOf } from "./replicas.ts";

/** Set once the lab is ready, since every project of lab tests has this set-up, in one process. */
const READY = "LAB_TESTS_READY";

const file = stackFile(labSettings(), labStack);

/** Lets the mesh's gateways answer for the hosts of all test releases, beside those that they have. */
async function addIngressHosts(): Promise<void> {
  const ingress = await stackKey(file, "ingress");
  const { hosts } = ingress as { readonly hosts: readonly string[] };
  const missing = testReleases.map(testHost).filter((host) => !hosts.includes(host));
  await labPulumi().setConfigs(
    Object.fromEntries(missing.map((host, i) => [`ingress.hosts[${hosts.length + i}]`, host])),
  );
}

/** Sets the replicas of the mesh's own service in the config. */
async function setReplicas(stable: number, canary: number): Promise<void> {
  await labPulumi().setConfigs({
    "services[0].stable.replicas": String(stable),
    "services[0].canary.replicas": String(canary),
  });
}

/**
 * Brings up what the lab tests run against: the clusters, and the mesh with the canary at 0 %.
 *
 * @returns what is to be done after the last test
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[READY] !== undefined) return undefined;
  process.env[READY] = "yes";
  await labUp(labSettings());
  const { stable, canary } = replicasOf(await stackKey(file, "services"), file);
  const pulumi = labPulumi();
  await pulumi.setWeight(0);
  await addIngressHosts();
  await setReplicas(meshReplicas, meshReplicas);
  await pulumi.up("lab tests begin");
  return async () => {
    await removeOwnStack("faults");
    // Of the next update by hand, or of the demo.
    await setReplicas(stable, canary);
  };
}
