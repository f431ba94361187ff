import { rm } from "node:fs/promises";

import { labEnvironment, labStack } from "./environment.ts";
import { PulumiCli } from "./pulumi.ts";
import type { LabSettings } from "./settings.ts";
import { setStackKeys, stackFile } from "./stack-file.ts";

/**
 * Makes a stack of services that run in the mesh of the lab's stack, with its config and no resource yet.
 * What an interrupted run has left of it is destroyed first.
 *
 * @param config the stack's keys, beside `meshStack`, which is left out if they have a `mesh`
 * @param environment of its Pulumi CLI. @default the lab's
 */
export async function makeReleaseStack(
  settings: LabSettings,
  stack: string,
  config: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>> = labEnvironment(settings),
): Promise<PulumiCli> {
  const pulumi = new PulumiCli(settings.root, environment, stack);
  if (await pulumi.exists()) {
    // A run that was killed has left its lock behind.
    await pulumi.cancel();
    await pulumi.destroy();
    await pulumi.remove();
  }
  const file = stackFile(settings, stack);
  // It may be that of a lab that is no more.
  await rm(file, { force: true });
  await pulumi.create();
  const mesh = "mesh" in config ? {} : { meshStack: `organization/istio-canary/${labStack}` };
  await setStackKeys(file, { ...mesh, ...config });
  return pulumi;
}
