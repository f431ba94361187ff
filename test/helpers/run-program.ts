import * as pulumi from "@pulumi/pulumi";
import { vi } from "vitest";
import { configure, recordProgram, valueOf, type Recording, type StackOutputs } from "./mocks.ts";

/** What a run of the program has registered and exported. */
export interface ProgramRun {
  readonly program: Recording;
  readonly outputs: StackOutputs[string];
}

/** Every istiod reads every cluster: those of a test are nowhere. */
export function mockReads(): void {
  vi.doMock(import("../../fleet/remote-reads.ts"), () => ({
    waitForReads: () => Promise.resolve([]),
    unreadNow: () => Promise.resolve([]),
  }));
  // No cluster was drained.
  vi.doMock(import("../../fleet/drain-marks.ts"), () => ({
    drainMarks: () => Promise.resolve(new Map()),
    markDrained: () => Promise.resolve(),
  }));
}

/**
 * Runs the whole program with a configuration. Its reads of clusters must be mocked.
 *
 * @param stacks what references to other stacks find. @default there are none
 * @param isSlow of a resource's name: whether it is made only when the program asks for nothing else. @default none is
 */
export async function runProgram(
  raw: Readonly<Record<string, unknown>>,
  stacks: StackOutputs = {},
  isSlow?: (name: string) => boolean,
): Promise<ProgramRun> {
  const program = await recordProgram(stacks, isSlow);
  configure(raw);
  vi.resetModules();
  mockReads();
  const exported = await import("../../index.ts");
  await program.settle();
  return { program, outputs: await valueOf(pulumi.output({ ...exported })) };
}
