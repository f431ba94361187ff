import { rm } from "node:fs/promises";

import { labEnvironment } from "./environment.ts";
import { PulumiCli } from "./pulumi.ts";
import type { LabSettings } from "./settings.ts";
import { setStackKeys, stackFile } from "./stack-file.ts";

/**
 * Makes a stack of the program with its config, and no resource yet. What an interrupted run has left of
 * it is destroyed first.
 *
 * @param config by key
 */
export async function makeFreshStack(
  settings: LabSettings,
  stack: string,
  config: Readonly<Record<string, unknown>>,
): Promise<PulumiCli> {
  const pulumi = new PulumiCli(settings.root, labEnvironment(settings), stack);
  if (await pulumi.exists()) {
    await pulumi.destroy();
    await pulumi.remove();
  }
  const file = stackFile(settings, stack);
  // It may be that of a lab that is no more.
  await rm(file, { force: true });
  await pulumi.create();
  await setStackKeys(file, config);
  return pulumi;
}
