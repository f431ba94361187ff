import { writeRecording } from "../scripts/write-recording.ts";
import { chainStack, makeChainStack } from "./chain-stack.ts";
import { CHAIN_PHASES } from "./demo/chain.ts";
import { labEnvironment, labStack } from "./environment.ts";
import { PulumiCli } from "./pulumi.ts";
import type { LabSettings } from "./settings.ts";
import { stackFile } from "./stack-file.ts";

/**
 * Records two stacks for the test of updates: the lab's, which has the mesh and a service, and the chain's, a release
 * stack in that mesh. It installs both, and removes the chain's afterwards.
 */
export async function recordStacks(settings: LabSettings): Promise<void> {
  const record = async (stack: string, pulumi: PulumiCli) => {
    await pulumi.up("recorded");
    const state = await pulumi.exported();
    const folder = await writeRecording(settings.root, stack, state, stackFile(settings, stack));
    console.log(`wrote ${folder}`);
  };
  await record(labStack, new PulumiCli(settings.root, labEnvironment(settings), labStack));
  const chain = await makeChainStack(settings, CHAIN_PHASES);
  try {
    await record(chainStack, chain);
  } finally {
    await chain.destroy();
    await chain.remove();
  }
}
