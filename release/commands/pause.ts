import { whoRuns } from "../../stacks/routing-records.ts";
import { openRelease } from "../open.ts";

export interface PauseOptions {
  readonly stack: string;
  readonly reason?: string;
}

/** Holds a rollout in its phase, wherever it runs; its gates are watched on, and still roll it back. */
export async function pause({ stack, reason }: PauseOptions): Promise<void> {
  await write(stack, true, reason);
  console.log(
    `paused: no weight is raised until you run: npm run release -- resume --stack ${stack}`,
  );
}

/** Resumes a paused rollout. */
export async function resume({ stack }: Pick<PauseOptions, "stack">): Promise<void> {
  await write(stack, false);
  console.log("resumed");
}

async function write(stack: string, paused: boolean, reason?: string): Promise<void> {
  const { journal, clusters } = await openRelease(stack);
  const failed = await journal.writePause({
    at: Date.now(),
    paused,
    by: whoRuns(),
    ...(reason !== undefined && { reason }),
  });
  if (failed.size === 0) return;
  const lines = [...failed].map(([name, why]) => ` - ${name}: ${why}`).join("\n");
  if (failed.size === clusters.length) throw new Error(`Not recorded in any cluster:\n${lines}`);
  // One cluster is enough for every rollout to see it.
  console.error(`Not recorded in every cluster:\n${lines}`);
}
